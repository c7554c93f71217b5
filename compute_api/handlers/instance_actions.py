"""The history of a server: actions and their events. It remains after the server is deleted (2.21)."""

from common import db
from compute_api import microversions
from compute_api.handlers import paging
from compute_api.services import instance_actions
from compute_api.views import host_id


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
    microversions.check_query(req.call, req.GET, ("limit", "marker", "changes-since", "changes-before"))
    paged = req.version >= (2, 58)
    limit, query = (paging.limit(req), paging.query(req)) if paged else (paging.MAX_PAGE, {})
    found = instance_actions.index(req.call, id, query, limit)
    body: dict = {"instanceActions": [_view(req, r) for r in found]}
    if paged and (links := paging.next_links(req, found, "request_id")):
        body["links"] = links
    return body


def show(req, id, request_id):
    events, row, target = instance_actions.show(req.call, id, request_id)
    shown = _view(req, row)
    operator = req.svc.policy.allows(req.ctx, "os_compute_api:os-instance-actions:events", target)
    details = req.svc.policy.allows(req.ctx, "os_compute_api:os-instance-actions:events:details", target)
    if req.version >= (2, 51) or operator:
        shown["events"] = [_event(req, {**e, "project_id": row["project_id"]}, operator=operator,
                                  details=details and req.version >= (2, 84)) for e in events]
    return {"instanceAction": shown}
