"""Filters, sorting and paging of lists.

An unknown filter or sort key is refused, not ignored: the caller would take the whole list for the answer. An attribute that the
caller may not see matches no row.
"""

import typing
import urllib.parse

from common import errors, rows, values, wsgi
from common import tags as tag_filters
from network import parsing
from network.db import filters

_NOT_FILTERS = frozenset(("fields", "limit", "marker", "page_reverse", "sort_key", "sort_dir"))
# Columns that lists of every resource can be filtered by, besides its attributes.
_EVERYWHERE = ("id", "name", "description", "project_id", "tenant_id", "status", "revision_number")
CHANGED_SINCE = "changed_since"


def column(name: str) -> str:
    """The column of an attribute."""
    return "project_id" if name == "tenant_id" else name.replace(":", "_")


def _known_column(resource, name: str):
    """The column of a public attribute, if rows can be compared by it."""
    if name not in resource.known and name not in _EVERYWHERE and name not in resource.more_filters:
        return None
    return filters.comparable(resource.table, column(name))


def conditions(resource, req) -> list:
    """The WHERE of a list: what the caller may see, and the filters of the query."""
    found, unknown = [resource.visible(req)], []
    for name in sorted({n for n in req.GET if n not in _NOT_FILTERS}):
        raw = req.GET.getall(name)
        own, known = resource.extra_filter(name, raw), _known_column(resource, name)
        if own is not None:
            found.append(own)
        elif name in tag_filters.FILTERS and "tags" in resource.table.c:
            found.append(tag_filters.condition(resource.table.c.tags, name, raw))
        elif name == CHANGED_SINCE and "tags" in resource.table.c:
            found.append(resource.table.c.updated_at >= _moment(raw[0]))
        elif known is not None:
            found.append(_equal(resource, name, known, raw))
        else:
            unknown.append(name)
        seen = resource.seen(req, name)
        if seen is not None:
            found.append(seen)
    if unknown:
        raise errors.BadRequest(f"{unknown} is invalid attribute for filtering", kind="HTTPBadRequest")
    return found


def _moment(raw: str):
    try:
        return values.moment(raw, CHANGED_SINCE)
    except errors.BadRequest:
        raise errors.BadRequest(f"Invalid input for operation: The input {CHANGED_SINCE} must be in the following format: "
                                f"YYYY-MM-DDTHH:MM:SSZ.", kind="InvalidInput") from None


def _equal(resource, name: str, target, raw: list[str]):
    """The WHERE of a filter by a column. An empty value stands for none."""
    parse = {bool: values.boolean, int: parsing.between(-values.INT32, values.INT32),
             str: parsing.stored(getattr(resource.known.get(name), "parse", None))}[filters.kind(target)]
    wanted = [parse(v, name) for v in raw if v != "" or not target.nullable]
    return filters.among(target, wanted, or_null=len(wanted) < len(raw))


def sort_keys(req, known: typing.Callable[[str], bool]) -> list[tuple[str, str]]:
    """[(attribute, "asc" or "desc")] of a query. The default direction is ascending; a direction without a key is for the id.

    :raises BadRequest: a key or a direction is invalid
    """
    names, directions = ([v for v in req.GET.getall(n) if v] for n in ("sort_key", "sort_dir"))
    names = names or ["id"] * min(len(directions), 1)
    directions += ["asc"] * (len(names) - len(directions))
    if len(names) != len(directions):
        raise errors.BadRequest("The number of sort_keys and sort_dirs must be same", kind="HTTPBadRequest")
    if unknown := [n for n in names if not known(n)]:
        raise errors.BadRequest(f"{unknown} is invalid attribute for sort_keys", kind="HTTPBadRequest")
    if unknown := [d for d in directions if d not in ("asc", "desc")]:
        raise errors.BadRequest(f"{unknown} is invalid value for sort_dirs, valid value is 'asc' and 'desc'",
                                kind="HTTPBadRequest")
    return list(zip(names, directions))


def _reverse(req) -> bool:
    return "page_reverse" in req.GET and wsgi.bool_value(req.GET["page_reverse"])


def page(resource, req, connection) -> list[dict]:
    """The rows of one page."""
    limit, reverse = wsgi.int_param(req, "limit", 0), _reverse(req)
    sort = [(column(n), d) for n, d in sort_keys(req, lambda n: _sortable(resource, req, n))]
    if reverse:
        sort = [(n, "desc" if d == "asc" else "asc") for n, d in sort or [("id", "asc")]]
    marker = req.GET.get("marker")
    marker_row = resource.get(connection, req, marker) if marker else None
    found = rows.page(connection, resource.table, *conditions(resource, req), sort=sort, limit=limit, marker_row=marker_row)
    return found[::-1] if reverse else found


def _sortable(resource, req, name: str) -> bool:
    times = name in ("created_at", "updated_at") and name in resource.table.c
    return (times or _known_column(resource, name) is not None) and resource.seen(req, name) is None


def links(req, shown: list[str]) -> list[dict]:
    """The links from a page to the next and the previous one; none if the request has no limit.

    :param shown: the ids of the page
    """
    limit, reverse = wsgi.int_param(req, "limit", 0), _reverse(req)
    if not limit:
        return []
    query = [(k, v) for k, v in req.GET.items() if k not in ("marker", "page_reverse")]

    def link(rel: str, at: int, more: list) -> dict:
        marker = [("marker", shown[at])] if shown else []
        return {"rel": rel, "href": f"{req.path_url}?" + urllib.parse.urlencode([*query, *marker, *more])}
    last = len(shown) < limit
    return ([] if last and not reverse else [link("next", -1, [])]) + (
        [] if last and reverse else [link("previous", 0, [("page_reverse", "True")])])


def in_memory(req, found: list[dict], filters: dict[str, typing.Callable], sorts: tuple[str, ...] = (), key: str = "id"
              ) -> list[dict]:
    """A page of rows that do not come from a single table.

    :param filters: {attribute: a function that parses the value of a filter}
    """
    wanted = {n: req.GET.getall(n) for n in req.GET if n not in _NOT_FILTERS}
    if unknown := sorted(n for n in wanted if n not in filters):
        raise errors.BadRequest(f"{unknown} is invalid attribute for filtering", kind="HTTPBadRequest")
    for name, raw in wanted.items():
        accepted = [filters[name](v) for v in raw]
        found = [row for row in found if row[name] in accepted]
    for name, direction in reversed(sort_keys(req, lambda n: n in sorts or n == key)):
        found = sorted(found, key=lambda row: (row[name] is not None, row[name]), reverse=direction == "desc")
    limit, marker = wsgi.int_param(req, "limit", 0), req.GET.get("marker")
    if limit and marker:
        at = next((i for i, row in enumerate(found) if row[key] == marker), len(found))
        found = found[:at][-limit:] if _reverse(req) else found[at + 1:]
    elif limit and _reverse(req):
        found = found[-limit:]
    return found[:limit] if limit else found
