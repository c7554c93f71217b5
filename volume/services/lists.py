"""Common parts of the lists of this API: owners, pages, sorting and counts."""

import typing

from common import errors, rows, values, wsgi
from common.calls import Call
from volume import access

Query = typing.Mapping[str, str]  # the parameters of a request
_MOMENTS = ("created_at", "updated_at")  # every list accepts them as sort keys, also for tables without these columns


def whose(call: Call, query: Query, table, rule: str) -> list:
    """The WHERE of the projects whose rows are listed: the caller's own, or all if the caller may see and asks for all."""
    call.svc.policy.check(call.ctx, rule)
    asked = query.get("all_tenants", query.get("all_projects", "0"))
    if call.svc.policy.sees_all_projects(call.ctx) and wsgi.bool_value(asked):
        return []
    access.owner(call)
    return [table.c.project_id == call.ctx.project_id]


def _number(query: Query, name: str, default: int) -> int:
    raw = query.get(name)
    return default if raw in (None, "") else values.integer(raw, f"query parameter {name}", 0, values.INT32)


def page(connection, query: Query, table, where: list, known, *, by: tuple[str, str] = ("created_at", "desc")
         ) -> tuple[list[dict], int]:
    """(the rows of the requested page, the limit of a page).

    :param known: a function from a marker's id to its row, if the caller may see it
    :param by: the order if the request has none
    """
    limit, marker = min(_number(query, "limit", 1000), 1000), query.get("marker")
    sort, marker_row, offset = _order(query, table) or [by], known(marker) if marker else None, _number(query, "offset", 0)
    if not limit:
        return [], limit
    return rows.page(connection, table, *where, sort=sort, limit=limit, marker_row=marker_row, offset=offset), limit


def _order(query: Query, table) -> list[tuple[str, str]]:
    """[(column, direction)] of the request; [] if it has none.

    :raises BadRequest: no such column or direction, or both forms of sort parameters at once
    """
    single = "sort_key" in query or "sort_dir" in query
    if single and "sort" in query:
        raise errors.BadRequest("The 'sort_key' and 'sort_dir' parameters are deprecated and cannot be used with the 'sort' "
                                "parameter.")
    text = f"{query.get('sort_key') or 'created_at'}:{query.get('sort_dir') or 'desc'}" if single else query.get("sort", "")
    found = []
    for name, _, direction in (part.partition(":") for part in text.split(",") if part):
        name, direction = name.strip(), direction.strip() or "desc"
        name = {"display_name": "name", "display_description": "description"}.get(name, name)
        usable = name in _MOMENTS or name in table.c and not rows.is_json(table.c[name])
        if not usable or direction not in ("asc", "desc"):
            raise errors.BadRequest("Invalid input received: the sort key or direction is not valid.")
        if name in table.c:
            found.append((name, direction))
    return found


def count(call: Call, connection, query: Query, table, where: list) -> dict:
    """{"count": the number of rows on all pages} if the request asks for it (from 3.45 on), else {}."""
    if call.version < (3, 45) or not wsgi.bool_value(query.get("with_count", False)):
        return {}
    return {"count": rows.count(connection, table, *where)}
