"""Server groups: servers to be placed together or apart."""

from common import errors, rows
from common import quotas as project_quotas
from common.calls import Call
from compute_api import access
from conductor.db import instances, models, quotas

TABLE = models.server_groups


def _get(call: Call, connection, id: str, rule: str) -> dict:
    row = rows.find(connection, TABLE, id, access.scope(call).of(TABLE.c.project_id))
    if row is None:
        raise errors.NotFound(f"Instance group {id} could not be found.")
    call.svc.policy.check(call.ctx, rule, access.target(row))
    return row


def index(call: Call, all_projects: bool, limit: int, offset: int) -> tuple[list[dict], dict[str, list[str]]]:
    """The groups of the caller's project, or of all projects, with their members."""
    access.check(call, "os_compute_api:os-server-groups:index")
    where = [TABLE.c.project_id == call.ctx.project_id]
    if all_projects and access.knows_all(call):  # for other callers all_projects is ignored
        access.check(call, "os_compute_api:os-server-groups:index:all_projects")
        where = []
    with call.svc.db.reader() as connection:
        found = rows.page(connection, TABLE, *where, sort=[("created_at", "asc")], limit=limit, marker_row=None,
                          offset=offset) if limit else []
        return found, instances.uuids_by_group(connection, [r["id"] for r in found])


def create(call: Call, row: dict) -> None:
    with call.svc.db.writer() as connection:
        project_quotas.lock_owner(connection, call.ctx.project_id)
        for who, user_id in (("project", None), ("user", call.ctx.user_id)):
            limit = quotas.limits(connection, call.ctx.project_id, call.svc.quota_defaults, user_id=user_id)["server_groups"]
            used = rows.count(connection, TABLE, *quotas.owned(TABLE, call.ctx.project_id, user_id))
            if 0 <= limit <= used:
                raise errors.Forbidden(f"Quota exceeded, too many server groups. The {who} has {used} of {limit}.")
        rows.insert(connection, TABLE, row)


def show(call: Call, id: str):
    with call.svc.db.reader() as connection:
        row = _get(call, connection, id, "os_compute_api:os-server-groups:show")
        members = instances.uuids_by_group(connection, [id])[id]
    return row, members


def delete(call: Call, id: str) -> None:
    with call.svc.db.writer() as connection:
        _get(call, connection, id, "os_compute_api:os-server-groups:delete")
        rows.delete(connection, TABLE, id, resource="Instance group")
