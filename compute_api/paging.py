"""Pages of lists: what a request may ask for, and the link by which it gets the next."""

import urllib.parse

from common import wsgi

MOST = 1000  # on one page, also where no limit is given


def limit(req) -> int:
    return min(wsgi.int_param(req, "limit", MOST), MOST)


def next_links(req, found: list[dict], name: str) -> list[dict]:
    """The link to the page after ``found``; [] where that is not full, so that no more can follow.

    :param name: the column whose value is the marker
    """
    if not found or len(found) < limit(req):
        return []
    query = urllib.parse.urlencode([(k, v) for k, v in req.GET.items() if k != "marker"] + [("marker", found[-1][name])])
    return [{"rel": "next", "href": f"{req.path_url}?{query}"}]
