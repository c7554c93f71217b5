"""Queries of lists, and the links between their pages."""

import urllib.parse


def query(req) -> dict[str, str]:
    """The parameters of a request; of a repeated parameter the last value."""
    return {**req.GET}


def more(req, plural: str, found: list[dict], limit: int) -> dict:
    """The link to the next page, if this one is full."""
    if not found or "limit" not in req.GET or len(found) < limit:
        return {}
    following = urllib.parse.urlencode({**{k: v for k, v in req.GET.items() if k != "offset"}, "marker": found[-1]["id"]})
    return {f"{plural}_links": [{"rel": "next", "href": f"{req.path_url}?{following}"}]}
