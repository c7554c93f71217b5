"""The history of a server: actions and their events. It remains after the server is deleted (2.21)."""

from common import errors, rows
from common.calls import Call
from compute_api import access, changes
from conductor.db import actions, instances, models

ACTIONS, INSTANCES = models.instance_actions, models.instances


def _check(call: Call, connection, id: str, rule: str) -> dict:
    """The target for policy checks of a server's actions, after the checks that the caller may see the server and
    that ``rule`` allows the request. For a deleted server (2.21) it is taken from its first action; later ones may be
    an administrator's, with another project."""
    scope = access.scope(call)
    if call.version < (2, 21) or rows.exists(connection, INSTANCES, uuid=id):
        found = access.target(instances.get(connection, id, scope))
    else:
        row = actions.first(connection, id)
        if row is None or not (scope.everyone or row["project_id"] == scope.project_id):
            raise errors.NotFound(f"Instance {id} could not be found.")
        found = access.target(row)
    call.svc.policy.check(call.ctx, rule, found)
    return found


def index(call: Call, id: str, query, limit):
    with call.svc.db.reader() as connection:
        _check(call, connection, id, "os_compute_api:os-instance-actions:list")
        times = changes.given(call.version, query)
        where = [ACTIONS.c.instance_uuid == id, *changes.conditions(times, ACTIONS.c.updated_at)]
        return rows.page(connection, ACTIONS, *where, sort=[("start_time", "desc")], limit=limit,
                          marker_row=_marker(connection, id, query), unique="request_id") if limit else []


def _marker(connection, id: str, query: dict[str, list[str]]) -> dict | None:
    if "marker" not in query:
        return None
    row = actions.find(connection, id, query["marker"][-1])
    if row is None:
        raise errors.BadRequest(f"marker [{query['marker'][-1]}] not found")
    return row


def show(call: Call, id: str, request_id: str):
    with call.svc.db.reader() as connection:
        target = _check(call, connection, id, "os_compute_api:os-instance-actions:show")
        row = actions.find(connection, id, request_id)
        if row is None:
            raise errors.NotFound(f"Action for request_id {request_id} on instance {id} not found")
        events = actions.events_of(connection, id, request_id)
    return events, row, target
