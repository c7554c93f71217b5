"""Access rules of application credentials: what a token made of one may ask for, and of which service.

A path of a rule may have ``*`` for one segment, ``**`` for any number of them, and ``{name}`` for one segment, as
keystonemiddleware reads them.
"""

import functools
import re

import re2

from common import errors
from common.context import Context

# The types of the catalog, and what the same service was called before or may be called instead.
_TYPES = {"block-storage": "volume", "volumev2": "volume", "volumev3": "volume", "compute_legacy": "compute"}


@functools.lru_cache(maxsize=1024)
def _pattern(path: str):
    """Users write rules as they like, also such that Python's own engine would not come to an end with."""
    parts = re.split(r"(\*\*|\*|\{[^/{}]+\})", path)
    return re2.compile("".join({"**": ".*"}.get(p, "[^/]+" if i % 2 else re2.escape(p)) for i, p in enumerate(parts)))


def check(ctx: Context, service: str, method: str, path: str) -> None:
    """:raises Unauthorized: the token is restricted, and no rule of it names this request"""
    if ctx.access_rules is None:
        return
    for wanted, verb, where in ctx.access_rules:
        if _TYPES.get(wanted, wanted) == service and verb == method and _pattern(where).fullmatch(path):
            return
    raise errors.Unauthorized()
