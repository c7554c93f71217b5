"""What the lists of volumes and snapshots have in common: filters by time, counts, links."""

import ast
import urllib.parse

import sqlalchemy as sa

from common import errors, wsgi
from volume import access

_COMPARE = {"gt": "__gt__", "gte": "__ge__", "eq": "__eq__", "neq": "__ne__", "lt": "__lt__", "lte": "__le__"}


def whose(req, table, rule: str) -> tuple[bool, list]:
    """(whether every project's rows are listed, the WHERE of whose). Who may not see all is shown his own, whatever he asks."""
    req.svc.policy.check(req.ctx, rule)
    asked = req.GET.get("all_tenants", req.GET.get("all_projects", "0"))
    if access.sees_all(req) and wsgi.bool_value(asked):
        return True, []
    access.owner(req)
    return False, [table.c.project_id == req.ctx.project_id]


def conditions(req, table) -> list:
    """``created_at`` and ``updated_at`` with comparisons (``gt:2026-01-01,lt:…``, 3.60), ``consumes_quota`` (3.65)."""
    found = []
    for name in ("created_at", "updated_at"):
        for part in req.GET.get(name, "").split(",") if req.version >= (3, 60) and name in req.GET else ():
            operator, _, text = part.partition(":") if part.split(":")[0] in _COMPARE else ("eq", "", part)
            found.append(getattr(table.c[name], _COMPARE[operator])(wsgi.moment(name, text)))
    if req.version >= (3, 65) and "consumes_quota" in req.GET:
        found.append(sa.true() if wsgi.bool_value(req.GET["consumes_quota"]) else sa.false())
    return found


def literal(name: str, text: str) -> dict:
    """A filter that is written as a Python dictionary, as clients of this API do."""
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise errors.BadRequest(f"Invalid filter: {name} must be a dictionary.")
    return value


def count(req, connection, table, where: list) -> dict:
    """{"count": how many rows there are on all pages} where a client wants to know (3.45), else {}."""
    if req.version < (3, 45) or not wsgi.bool_value(req.GET.get("with_count", False)):
        return {}
    return {"count": connection.execute(sa.select(sa.func.count()).select_from(table).where(*where)).scalar()}


def more(req, plural: str, found: list[dict], limit: int) -> dict:
    """The link to the next page, where this one is full."""
    if not found or "limit" not in req.GET or len(found) < limit:
        return {}
    following = urllib.parse.urlencode({**{k: v for k, v in req.GET.items() if k != "offset"}, "marker": found[-1]["id"]})
    return {f"{plural}_links": [{"rel": "next", "href": f"{req.path_url}?{following}"}]}
