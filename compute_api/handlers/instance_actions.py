"""What happened to a server: actions and their events. They outlive the server (2.21)."""

from common import db, errors, rows
from compute_api import access, changes, microversions, paging
from compute_api.views import host_id
from conductor.db import actions, instances, models

ACTIONS, INSTANCES = models.instance_actions, models.instances


def _check(req, connection, id, rule: str) -> dict:
    """What rules about the server's actions are asked about, once the caller knows of it and may do what ``rule`` says. Of a
    server that is gone (2.21) the first of its actions tells whose it was: later ones may be those of an administrator, and
    have his project."""
    scope = access.scope(req)
    if req.version < (2, 21) or rows.exists(connection, INSTANCES, uuid=id):
        found = access.target(instances.get(connection, id, scope))
    else:
        row = actions.first(connection, id)
        if row is None or not (scope.everyone or row["project_id"] == scope.project_id):
            raise errors.NotFound(f"Instance {id} could not be found.")
        found = access.target(row)
    req.svc.policy.check(req.ctx, rule, found)
    return found


def _view(req, row: dict) -> dict:
    shown = {"instance_uuid": row["instance_uuid"], "request_id": row["request_id"], "action": row["action"],
             "project_id": row["project_id"], "user_id": row["user_id"], "message": row["message"],
             "start_time": db.iso(row["start_time"], zulu=False, micro=True)}
    if req.version >= (2, 58):
        shown["updated_at"] = db.iso(row["updated_at"], zulu=False, micro=True)
    return shown


def _event(req, row: dict, *, operator: bool, details: bool) -> dict:
    shown = {"event": f"compute_{row['event']}" if row["event"] != "schedule" else "conductor_schedule",
             "start_time": db.iso(row["start_time"], zulu=False, micro=True),
             "finish_time": db.iso(row["finish_time"], zulu=False, micro=True), "result": row["result"]}
    if operator:
        shown["traceback"] = row["details"]
    if req.version >= (2, 62):
        shown["hostId"] = host_id({"project_id": row["project_id"], "host": row["host"]})
        if operator:
            shown["host"] = row["host"]
    if details:
        shown["details"] = row["details"]
    return shown


def index(req, id):
    microversions.check_query(req, ("limit", "marker", "changes-since", "changes-before"))
    where = [ACTIONS.c.instance_uuid == id]
    limit, paged = paging.MOST, req.version >= (2, 58)
    with req.svc.db.reader() as connection:
        _check(req, connection, id, "os_compute_api:os-instance-actions:list")
        marker = None
        if paged:
            limit = paging.limit(req)
            where += changes.conditions(req, ACTIONS.c.updated_at)
            marker = _marker(req, connection, id)
        found = rows.page(connection, ACTIONS, *where, sort=[("start_time", "desc")], limit=limit, marker_row=marker,
                          unique="request_id") if limit else []
    body: dict = {"instanceActions": [_view(req, r) for r in found]}
    if paged and (links := paging.next_links(req, found, "request_id")):
        body["links"] = links
    return body


def _marker(req, connection, id) -> dict | None:
    if "marker" not in req.GET:
        return None
    row = actions.find(connection, id, req.GET["marker"])
    if row is None:
        raise errors.BadRequest(f"marker [{req.GET['marker']}] not found")
    return row


def show(req, id, request_id):
    with req.svc.db.reader() as connection:
        target = _check(req, connection, id, "os_compute_api:os-instance-actions:show")
        row = actions.find(connection, id, request_id)
        if row is None:
            raise errors.NotFound(f"Action for request_id {request_id} on instance {id} not found")
        events = actions.events_of(connection, id, request_id)
    shown = _view(req, row)
    operator = req.svc.policy.allows(req.ctx, "os_compute_api:os-instance-actions:events", target)
    details = req.svc.policy.allows(req.ctx, "os_compute_api:os-instance-actions:events:details", target)
    if req.version >= (2, 51) or operator:
        shown["events"] = [_event(req, {**e, "project_id": row["project_id"]}, operator=operator,
                                  details=details and req.version >= (2, 84)) for e in events]
    return {"instanceAction": shown}
