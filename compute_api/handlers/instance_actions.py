"""What happened to a server: actions and their events. They outlive the server (2.21)."""

import sqlalchemy as sa

from common import db, errors, rows
from conductor.db import instances, models

ACTIONS, EVENTS = models.instance_actions, models.instance_events


def _check(req, connection, id) -> None:
    """The caller may see the server, or its actions show that it was the caller's."""
    if connection.execute(sa.select(models.instances.c.uuid).where(models.instances.c.uuid == id)).first():
        instances.get(connection, req.ctx, id)
        return
    owner = connection.execute(sa.select(ACTIONS.c.project_id).where(ACTIONS.c.instance_uuid == id).limit(1)).scalar()
    if req.version < (2, 21) or owner is None or not (owner == req.ctx.project_id or req.ctx.is_admin):
        raise errors.NotFound(f"Instance {id} could not be found.")


def _view(req, row: dict) -> dict:
    shown = {"instance_uuid": row["instance_uuid"], "request_id": row["request_id"], "action": row["action"],
             "project_id": row["project_id"], "user_id": row["user_id"], "message": row["message"],
             "start_time": db.iso(row["start_time"], zulu=False, micro=True)}
    if req.version >= (2, 51):
        shown["updated_at"] = db.iso(row["updated_at"], zulu=False, micro=True)
    return shown


def _event(req, row: dict) -> dict:
    shown = {"event": f"compute_{row['event']}" if row["event"] != "schedule" else "conductor_schedule",
             "start_time": db.iso(row["start_time"], zulu=False, micro=True),
             "finish_time": db.iso(row["finish_time"], zulu=False, micro=True), "result": row["result"]}
    if req.svc.policy.allows(req.ctx, "servers:events_details", {}):
        shown["traceback"] = row["details"]
    return shown


def index(req, id):
    with req.svc.db.reader() as connection:
        _check(req, connection, id)
        found = rows.many(connection, sa.select(ACTIONS).where(ACTIONS.c.instance_uuid == id)
                          .order_by(ACTIONS.c.start_time.desc()).limit(1000))
    return {"instanceActions": [_view(req, r) for r in found]}


def show(req, id, request_id):
    with req.svc.db.reader() as connection:
        _check(req, connection, id)
        row = rows.one(connection, sa.select(ACTIONS).where(ACTIONS.c.instance_uuid == id,
                                                            ACTIONS.c.request_id == request_id))
        if row is None:
            raise errors.NotFound(f"Action for request_id {request_id} on instance {id} not found")
        events = rows.many(connection, sa.select(EVENTS).where(
            EVENTS.c.instance_uuid == id, EVENTS.c.request_id == request_id).order_by(EVENTS.c.id.desc()))
    return {"instanceAction": {**_view(req, row), "events": [_event(req, e) for e in events]}}
