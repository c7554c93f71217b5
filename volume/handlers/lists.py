"""What the lists of this API have in common: owners, pages, sorting, counts and links."""

import urllib.parse

from common import errors, rows, wsgi
from volume import access

_MOMENTS = ("created_at", "updated_at")  # every list accepts them as sort keys, also for tables without these columns


def whose(req, table, rule: str) -> list:
    """The WHERE of the projects whose rows are listed: the caller's own, or all if the caller may see and asks for all."""
    req.svc.policy.check(req.ctx, rule)
    asked = req.GET.get("all_tenants", req.GET.get("all_projects", "0"))
    if req.svc.policy.sees_all_projects(req.ctx) and wsgi.bool_value(asked):
        return []
    access.owner(req)
    return [table.c.project_id == req.ctx.project_id]


def page(req, connection, table, where: list, known, *, by: tuple[str, str] = ("created_at", "desc")) -> tuple[list[dict], int]:
    """(the rows of the requested page, the limit of a page).

    :param known: a function from a marker's id to its row, if the caller may see it
    :param by: the order if the request has none
    """
    limit, marker = min(wsgi.int_param(req, "limit", 1000), 1000), req.GET.get("marker")
    sort, marker_row, offset = _order(req, table) or [by], known(marker) if marker else None, wsgi.int_param(req, "offset", 0)
    if not limit:
        return [], limit
    return rows.page(connection, table, *where, sort=sort, limit=limit, marker_row=marker_row, offset=offset), limit


def _order(req, table) -> list[tuple[str, str]]:
    """[(column, direction)] of the request; [] if it has none.

    :raises BadRequest: no such column or direction, or both forms of sort parameters at once
    """
    single = "sort_key" in req.GET or "sort_dir" in req.GET
    if single and "sort" in req.GET:
        raise errors.BadRequest("The 'sort_key' and 'sort_dir' parameters are deprecated and cannot be used with the 'sort' "
                                "parameter.")
    text = f"{req.GET.get('sort_key') or 'created_at'}:{req.GET.get('sort_dir') or 'desc'}" if single else req.GET.get("sort", "")
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


def count(req, connection, table, where: list) -> dict:
    """{"count": the number of rows on all pages} if the request asks for it (from 3.45 on), else {}."""
    if req.version < (3, 45) or not wsgi.bool_value(req.GET.get("with_count", False)):
        return {}
    return {"count": rows.count(connection, table, *where)}


def more(req, plural: str, found: list[dict], limit: int) -> dict:
    """The link to the next page, if this one is full."""
    if not found or "limit" not in req.GET or len(found) < limit:
        return {}
    following = urllib.parse.urlencode({**{k: v for k, v in req.GET.items() if k != "offset"}, "marker": found[-1]["id"]})
    return {f"{plural}_links": [{"rel": "next", "href": f"{req.path_url}?{following}"}]}
