"""Queries of lists, and the links between their pages."""

import urllib.parse

from common import wsgi
from network.services.listing import Query

_NOT_FILTERS = frozenset(("fields", "limit", "marker", "page_reverse", "sort_key", "sort_dir"))


def query(req) -> Query:
    """The parameters of a list.

    :raises BadRequest: an invalid limit or direction
    """
    sort_keys, sort_dirs = (tuple(v for v in req.GET.getall(n) if v) for n in ("sort_key", "sort_dir"))
    return Query(filters={n: req.GET.getall(n) for n in req.GET if n not in _NOT_FILTERS}, sort_keys=sort_keys,
                 sort_dirs=sort_dirs, limit=wsgi.int_param(req, "limit", 0), marker=req.GET.get("marker") or None,
                 reverse="page_reverse" in req.GET and wsgi.bool_value(req.GET["page_reverse"]))


def fields(req, shown: dict) -> dict:
    """The attributes that the client wants to see; by default all."""
    wanted = req.GET.getall("fields")
    return {k: v for k, v in shown.items() if k in wanted} if wanted else shown


def links(req, ids: list[str]) -> list[dict]:
    """The links from a page to the next and the previous one; none if the request has no limit.

    :param ids: of all rows of the page
    """
    asked = query(req)
    if not asked.limit:
        return []
    rest = [(k, v) for k, v in req.GET.items() if k not in ("marker", "page_reverse")]

    def link(rel: str, at: int, more: list) -> dict:
        marker = [("marker", ids[at])] if ids else []
        return {"rel": rel, "href": f"{req.path_url}?" + urllib.parse.urlencode([*rest, *marker, *more])}
    last = len(ids) < asked.limit
    return ([] if last and not asked.reverse else [link("next", -1, [])]) + (
        [] if last and asked.reverse else [link("previous", 0, [("page_reverse", "True")])])
