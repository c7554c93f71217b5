"""JSON from clients: parsed once, and rejected if a database, log or file could not handle it later."""

import json
import math

from common import errors, values

MAX_DEPTH = 64


def _no_constant(name: str):
    raise ValueError(name)


def parse(raw: bytes):
    """Parse a JSON document of limited depth, whose strings can be encoded and whose numbers fit every database.

    :raises BadRequest: it is not valid JSON (NaN and Infinity are not), or violates these limits
    """
    try:
        found = json.loads(raw.decode("utf-8-sig"), parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise errors.BadRequest("The request body is not valid JSON.") from None
    check(found)
    return found


def check(document) -> None:
    """:raises BadRequest: the document is too deep, or has a number or string that cannot be stored"""
    left = [(document, 1)]
    while left:
        found, depth = left.pop()
        if isinstance(found, str):
            if values.unprintable(found):
                raise errors.BadRequest("The request body has a string with control characters or lone surrogates: "
                                        f"{ascii(found[:60])}.")
        elif isinstance(found, float):
            if not math.isfinite(found):
                raise errors.BadRequest("The request body has a number that is too large.")
        elif isinstance(found, int):
            if not -values.INT64 <= found <= values.INT64:
                raise errors.BadRequest("The request body has a number that is too large.")
        elif isinstance(found, (dict, list)):
            if depth > MAX_DEPTH:
                raise errors.BadRequest(f"The request body is nested more deeply than {MAX_DEPTH} levels.")
            left += [(x, depth + 1) for x in (found if isinstance(found, list) else (*found, *found.values()))]
