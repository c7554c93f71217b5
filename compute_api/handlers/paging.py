"""Queries of lists: limits, next links, and filters as functions beneath handlers take them."""

import urllib.parse

from common import wsgi

MAX_PAGE = 1000  # items on a page, also without a limit in the request


def limit(req) -> int:
    return min(wsgi.int_param(req, "limit", MAX_PAGE), MAX_PAGE)


def query(req) -> dict[str, list[str]]:
    """{name: values} of a request, for functions beneath handlers."""
    return {name: req.GET.getall(name) for name in req.GET}


def next_links(req, found: list[dict], name: str) -> list[dict]:
    """The link to the page after ``found``; [] if that is not full, so that nothing follows.

    :param name: the column whose value is the marker
    """
    if not found or len(found) < limit(req):
        return []
    query = urllib.parse.urlencode([(k, v) for k, v in req.GET.items() if k != "marker"] + [("marker", found[-1][name])])
    return [{"rel": "next", "href": f"{req.path_url}?{query}"}]
