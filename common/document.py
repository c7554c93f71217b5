"""JSON from outside: parsed once, and refused where any database, log or file would stumble over it later."""

import json
import math

from common import errors, values

MAX_DEPTH = 64


def _no_constant(name: str):
    raise ValueError(name)


def parse(raw: bytes):
    """A JSON document of limited depth, whose texts can be encoded and stored and whose numbers every database can hold.

    :raises BadRequest: it is not JSON (NaN and Infinity are none), or not such a document
    """
    try:
        found = json.loads(raw.decode("utf-8-sig"), parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise errors.BadRequest("The request body is not valid JSON.") from None
    check(found)
    return found


def check(document) -> None:
    """:raises BadRequest: something in a parsed document is too deep, too large, or text that cannot be kept"""
    left = [(document, 1)]
    while left:
        found, depth = left.pop()
        if isinstance(found, str):
            if values.unprintable(found):
                raise errors.BadRequest("The request body has text with control characters or lone surrogates: "
                                        f"{ascii(found[:60])}.")
        elif isinstance(found, float):
            if not math.isfinite(found):
                raise errors.BadRequest("The request body has a number that is too large.")
        elif isinstance(found, int):
            if not -values.INT64 <= found <= values.INT64:
                raise errors.BadRequest("The request body has a number that is too large.")
        elif isinstance(found, (dict, list)):
            if depth > MAX_DEPTH:
                raise errors.BadRequest(f"The request body is nested deeper than {MAX_DEPTH} levels.")
            left += [(x, depth + 1) for x in (found if isinstance(found, list) else (*found, *found.values()))]
