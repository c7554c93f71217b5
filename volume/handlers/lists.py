"""What the lists of volumes and snapshots have in common: whose rows, counts, links."""

import urllib.parse

import sqlalchemy as sa

from common import wsgi
from volume import access


def whose(req, table, rule: str) -> list:
    """The WHERE of whose rows are listed. Who may not see all is shown his own, whatever he asks."""
    req.svc.policy.check(req.ctx, rule)
    asked = req.GET.get("all_tenants", req.GET.get("all_projects", "0"))
    if access.sees_all(req) and wsgi.bool_value(asked):
        return []
    access.owner(req)
    return [table.c.project_id == req.ctx.project_id]


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
