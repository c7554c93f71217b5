"""Access rules of application credentials: the requests, per service, that their tokens may make.

In a rule's path, ``*`` and ``{name}`` match one segment and ``**`` any number, as in keystonemiddleware.
"""

import functools
import re

import re2

from common import errors
from common.context import Context

# Service types of the catalog, with their former names and aliases.
_TYPES = {"block-storage": "volume", "volumev2": "volume", "volumev3": "volume", "compute_legacy": "compute"}


@functools.lru_cache(maxsize=1024)
def _pattern(path: str):
    """Matched by ``common.regex``, because users write rules, and Python's engine could backtrack forever."""
    parts = re.split(r"(\*\*|\*|\{[^/{}]+\})", path)
    return re2.compile("".join({"**": ".*"}.get(p, "[^/]+" if i % 2 else re2.escape(p)) for i, p in enumerate(parts)))


def check(ctx: Context, service: str, method: str, path: str) -> None:
    """:raises Unauthorized: the token is restricted, and no rule allows this request"""
    if ctx.access_rules is None:
        return
    for wanted, verb, where in ctx.access_rules:
        if _TYPES.get(wanted, wanted) == service and verb == method and _pattern(where).fullmatch(path):
            return
    raise errors.Unauthorized()
