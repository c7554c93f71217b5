"""What happened to a server: actions and their events. They outlive the server (2.21)."""

from common import errors, rows
from common.calls import Call
from compute_api import access, changes
from conductor.db import actions, instances, models

ACTIONS, INSTANCES = models.instance_actions, models.instances


def _check(call: Call, connection, id: str, rule: str) -> dict:
    """What rules about the server's actions are asked about, once the caller knows of it and may do what ``rule`` says. Of a
    server that is gone (2.21) the first of its actions tells whose it was: later ones may be those of an administrator, and
    have his project."""
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
