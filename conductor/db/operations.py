"""Rows of operations that several hosts have a part in: who drives one, at which step it is, what a host reported.

A row changes by compare-and-swap on its number and on the lease of who drives it, so of two conductors that do the same step
one records it. It is deleted when the operation has ended.
"""

import datetime

import sqlalchemy as sa

from common import context, db, rows
from conductor.db import models

TABLE = models.operations
FORWARD, UNDO = "forward", "undo"


def begin(connection, ctx, kind: str, uuid: str, attempt: int, data: dict) -> str:
    """Add an operation, at its first step, in the transaction that moves its server; returns its id.

    :param kind: that of a subclass of ``conductor.operations.Operation``
    :param data: plain JSON values
    """
    at, operation_id = db.now(), context.new_uuid()
    connection.execute(sa.insert(TABLE).values(
        id=operation_id, kind=kind, instance_uuid=uuid, attempt=attempt, step="", phase=FORWARD, number=1, data=data,
        due_at=at, step_at=at, request_id=ctx.request_id, project_id=ctx.project_id, created_at=at, updated_at=at))
    return operation_id


def get(connection, operation_id: str) -> dict | None:
    return rows.one(connection, sa.select(TABLE).where(TABLE.c.id == operation_id))


def exist(connection) -> bool:
    return connection.execute(sa.select(TABLE.c.id).limit(1)).first() is not None


def due(connection, limit: int) -> list[str]:
    """The ids of those that somebody must see to, those first that wait longest."""
    at = db.now()
    free = sa.or_(TABLE.c.lease_until.is_(None), TABLE.c.lease_until < at)
    return list(connection.execute(sa.select(TABLE.c.id).where(TABLE.c.due_at <= at, free).order_by(
        TABLE.c.due_at).limit(limit)).scalars())


def take(connection, operation_id: str, holder: str, lease_s: float) -> dict | None:
    """Become the one who drives it.

    :param holder: a name that nobody else has, also no other thread of this process
    :returns: the row; None: another drives it, it is not due, or it has ended
    """
    at = db.now()
    done = connection.execute(sa.update(TABLE).where(
        TABLE.c.id == operation_id, TABLE.c.due_at <= at,
        sa.or_(TABLE.c.lease_until.is_(None), TABLE.c.lease_until < at, TABLE.c.lease_holder == holder)).values(
        lease_holder=holder, lease_until=at + datetime.timedelta(seconds=lease_s)))
    return get(connection, operation_id) if done.rowcount else None


def _mine(row: dict) -> list:
    return [TABLE.c.id == row["id"], TABLE.c.number == row["number"], TABLE.c.lease_holder == row["lease_holder"]]


def move(connection, row: dict, *, step: str, phase: str, data: dict, error: str | None = None) -> bool:
    """Go to another step. False: another drives it by now, nothing was written."""
    at = db.now()
    return connection.execute(sa.update(TABLE).where(*_mine(row)).values(
        step=step, phase=phase, number=row["number"] + 1, data=data, error=error, report=None, due_at=at, step_at=at,
        updated_at=at)).rowcount > 0


def wait(connection, row: dict, delay_s: float) -> bool:
    """Let the step rest, for anybody to take up again after a time. False: a report of it has come meanwhile, or another
    drives it."""
    at = db.now()
    return connection.execute(sa.update(TABLE).where(*_mine(row), TABLE.c.report.is_(None)).values(
        due_at=at + datetime.timedelta(seconds=delay_s), lease_holder=None, lease_until=None, updated_at=at)).rowcount > 0


def put_aside(connection, row: dict, delay_s: float) -> None:
    """As ``wait``, and what the host reported is done with: it will be asked again."""
    at = db.now()
    connection.execute(sa.update(TABLE).where(*_mine(row)).values(
        report=None, due_at=at + datetime.timedelta(seconds=delay_s), lease_holder=None, lease_until=None, updated_at=at))


def end(connection, row: dict) -> bool:
    """It has ended. False: another drives it by now, nothing was written."""
    return connection.execute(sa.delete(TABLE).where(*_mine(row))).rowcount > 0


def report(connection, operation_id: str, number: int, found: dict) -> bool:
    """A host says how a step went. False: the operation is not at that number (any more), or that was reported before."""
    at = db.now()
    return connection.execute(sa.update(TABLE).where(
        TABLE.c.id == operation_id, TABLE.c.number == number, TABLE.c.report.is_(None)).values(
        report=found, due_at=at, updated_at=at)).rowcount > 0


def of_server(connection, uuid: str) -> list[dict]:
    return rows.select(connection, TABLE, instance_uuid=uuid, order_by="created_at")


def all_of_them(connection) -> list[dict]:
    return rows.select(connection, TABLE, order_by="created_at")
