"""Filters, sorting and paging of lists.

An unknown filter or sort key is an error, because the caller would not notice that it was ignored. An attribute that
the caller may not see matches no row.
"""

import dataclasses
import typing

from common import errors, rows, values
from common import tags as tag_filters
from common.calls import Call
from network import parsing
from network.db import filters

# Columns that lists of every resource can be filtered by, besides its attributes.
_EVERYWHERE = ("id", "name", "description", "project_id", "tenant_id", "status", "revision_number")
CHANGED_SINCE = "changed_since"


@dataclasses.dataclass(frozen=True)
class Query:
    """The parameters of a list, with texts as the client sent them.

    :param filters: {attribute: the values of which one must match}
    :param sort_keys: attributes, and ``sort_dirs``: "asc" or "desc" for each
    :param limit: maximum number of rows; 0: all
    :param marker: the id of the row before the page
    :param reverse: the page ends before the marker
    """

    filters: dict[str, list[str]] = dataclasses.field(default_factory=dict)
    sort_keys: tuple[str, ...] = ()
    sort_dirs: tuple[str, ...] = ()
    limit: int = 0
    marker: str | None = None
    reverse: bool = False


def column(name: str) -> str:
    """The column of an attribute."""
    return "project_id" if name == "tenant_id" else name.replace(":", "_")


def _known_column(resource, name: str):
    """The column of a public attribute, if rows can be compared by it."""
    if name not in resource.known and name not in _EVERYWHERE and name not in resource.more_filters:
        return None
    return filters.comparable(resource.table, column(name))


def conditions(resource, call: Call, wanted: dict[str, list[str]]) -> list:
    """The WHERE of a list: what the caller may see, and the filters of the query."""
    found, unknown = [resource.visible(call)], []
    for name, raw in sorted(wanted.items()):
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
        seen = resource.seen(call, name)
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


def _sort(query: Query, known: typing.Callable[[str], bool]) -> list[tuple[str, str]]:
    """[(attribute, "asc" or "desc")] of a query. The default direction is ascending; a direction without a key is for the id.

    :raises BadRequest: a key or a direction is invalid
    """
    names, directions = list(query.sort_keys), list(query.sort_dirs)
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


def page(resource, work, query: Query) -> list[dict]:
    """The rows of one page.

    :param work: the caller and the open transaction
    """
    sort = [(column(n), d) for n, d in _sort(query, lambda n: _sortable(resource, work, n))]
    if query.reverse:
        sort = [(n, "desc" if d == "asc" else "asc") for n, d in sort or [("id", "asc")]]
    marker_row = resource.get(work, query.marker) if query.marker else None
    found = rows.page(work.connection, resource.table, *conditions(resource, work, query.filters), sort=sort,
                      limit=query.limit, marker_row=marker_row)
    return found[::-1] if query.reverse else found


def _sortable(resource, call: Call, name: str) -> bool:
    times = name in ("created_at", "updated_at") and name in resource.table.c
    return (times or _known_column(resource, name) is not None) and resource.seen(call, name) is None


def in_memory(query: Query, found: list[dict], filters: dict[str, typing.Callable], sorts: tuple[str, ...] = (),
              key: str = "id") -> list[dict]:
    """A page of rows that do not come from a single table.

    :param filters: {attribute: a function that parses the value of a filter}
    """
    if unknown := sorted(n for n in query.filters if n not in filters):
        raise errors.BadRequest(f"{unknown} is invalid attribute for filtering", kind="HTTPBadRequest")
    for name, raw in query.filters.items():
        accepted = [filters[name](v) for v in raw]
        found = [row for row in found if row[name] in accepted]
    for name, direction in reversed(_sort(query, lambda n: n in sorts or n == key)):
        found = sorted(found, key=lambda row: (row[name] is not None, row[name]), reverse=direction == "desc")
    limit = query.limit
    if limit and query.marker:
        at = next((i for i, row in enumerate(found) if row[key] == query.marker), len(found))
        found = found[:at][-limit:] if query.reverse else found[at + 1:]
    elif limit and query.reverse:
        found = found[-limit:]
    return found[:limit] if limit else found
