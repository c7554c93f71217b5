"""Instance actions: one per request, with one event per step."""

import datetime

import sqlalchemy as sa

from common import db, rows
from conductor.db import models

ACTIONS, EVENTS = models.instance_actions, models.instance_events


def start(connection, ctx, uuid: str, action: str) -> None:
    """Record that a request acts on a server. Repeating it for the same request changes nothing."""
    at = db.now()
    db.upsert(connection, ACTIONS, [{
        "instance_uuid": uuid, "request_id": ctx.request_id, "action": action, "project_id": ctx.project_id,
        "user_id": ctx.user_id, "message": None, "start_time": at, "updated_at": at}], {"action": ACTIONS.c.action})


def start_new(connection, ctx, uuids: list[str], action: str) -> None:
    """As ``start``, for servers that were created in this transaction."""
    at = db.now()
    connection.execute(sa.insert(ACTIONS), [
        {"instance_uuid": u, "request_id": ctx.request_id, "action": action, "project_id": ctx.project_id,
         "user_id": ctx.user_id, "message": None, "start_time": at, "updated_at": at} for u in uuids])


def first(connection, uuid: str) -> dict | None:
    """The oldest action on a server."""
    return rows.one(connection, sa.select(ACTIONS).where(ACTIONS.c.instance_uuid == uuid).order_by(ACTIONS.c.start_time).limit(1))


def find(connection, uuid: str, request_id: str) -> dict | None:
    return rows.find(connection, ACTIONS, request_id, key="request_id", instance_uuid=uuid)


def events_of(connection, uuid: str, request_id: str) -> list[dict]:
    """The events of an action, latest first."""
    return rows.select(connection, EVENTS, instance_uuid=uuid, request_id=request_id)[::-1]


def events(connection, request_id: str, uuid: str, found: list[dict]) -> None:
    """Record steps.

    :param found: [{"event", "host", "start", "finish" (epoch seconds), "result", "details"}]
    """
    def moment(seconds):
        return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).replace(tzinfo=None) if seconds else None
    if found:
        connection.execute(sa.insert(EVENTS), [
            {"instance_uuid": uuid, "request_id": request_id, "event": e["event"], "host": e.get("host"),
             "start_time": moment(e["start"]), "finish_time": moment(e.get("finish")), "result": e.get("result"),
             "details": e.get("details")} for e in found])


def failed(connection, request_id: str, uuid: str, message: str) -> None:
    connection.execute(sa.update(ACTIONS).where(ACTIONS.c.instance_uuid == uuid, ACTIONS.c.request_id == request_id)
                       .values(message=message, updated_at=db.now()))
