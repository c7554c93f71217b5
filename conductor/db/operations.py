"""Rows of operations that involve several hosts: the current step, the lease, and the host's report.

A row changes by compare-and-swap on its number and lease, so that of two conductors that execute a step only one records it. It
is deleted when the operation ends.
"""

import datetime

import sqlalchemy as sa

from common import context, db, rows
from conductor.db import instances, models

TABLE = models.operations
FORWARD, UNDO = "forward", "undo"


def begin(connection, ctx, kind: str, uuid: str, attempt: int, data: dict) -> str:
    """Add an operation at its first step, in the transaction that changes the server's state; returns its id.

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


def get_with_server(connection, operation_id: str, columns: list | None = None, *, lock: bool = False,
                    more: sa.ScalarSelect | None = None) -> tuple[dict | None, dict | None]:
    """The row and its server, in one statement; None for what does not exist.

    :param columns: of the server; None: those of ``instances.states_of``
    :param lock: keep both as they are until the transaction ends. Without a server there is then no row either
    :param more: a value that is read with them, as ``_more`` of the row
    """
    server = {f"server_{c.name}": c for c in columns or instances.STATES}
    also = [] if more is None else [more.label("_more")]
    query = sa.select(TABLE, *also, instances.TABLE.c.uuid.label("_uuid"), *(c.label(name) for name, c in server.items())).join(
        instances.TABLE, instances.TABLE.c.uuid == TABLE.c.instance_uuid, isouter=not lock).where(TABLE.c.id == operation_id)
    found = rows.one(connection, query.with_for_update(key_share=True) if lock else query)
    if found is None:
        return None, None
    values = {str(c.name): found.pop(name) for name, c in server.items()}
    return found, values if found.pop("_uuid") else None


def exist(connection) -> bool:
    return connection.execute(sa.select(TABLE.c.id).limit(1)).first() is not None


def due(connection, limit: int) -> list[str]:
    """The ids of operations that are due and have no valid lease, longest waiting first."""
    at = db.now()
    free = sa.or_(TABLE.c.lease_until.is_(None), TABLE.c.lease_until < at)
    return list(connection.execute(sa.select(TABLE.c.id).where(TABLE.c.due_at <= at, free).order_by(
        TABLE.c.due_at).limit(limit)).scalars())


def acquire(connection, operation_id: str, holder: str, lease_s: float) -> tuple[dict | None, dict | None]:
    """Acquire the lease of an operation.

    :param holder: a name that is unique to this thread
    :returns: the row and its server, as ``get_with_server``. No row: another thread or conductor has the lease, the operation is
        not due, or it has ended
    """
    at = db.now()
    done = connection.execute(sa.update(TABLE).where(
        TABLE.c.id == operation_id, TABLE.c.due_at <= at,
        sa.or_(TABLE.c.lease_until.is_(None), TABLE.c.lease_until < at, TABLE.c.lease_holder == holder)).values(
        lease_holder=holder, lease_until=at + datetime.timedelta(seconds=lease_s)))
    return get_with_server(connection, operation_id) if done.rowcount else (None, None)


def _mine(row: dict) -> list:
    """The row at the same step, while nobody else has the lease."""
    return [TABLE.c.id == row["id"], TABLE.c.number == row["number"],
            sa.or_(TABLE.c.lease_holder.is_(None), TABLE.c.lease_holder == row["lease_holder"])]


def advance(connection, row: dict, *, step: str, phase: str, data: dict, error: str | None = None, lease_s: float,
            wait_s: float | None = None) -> dict | None:
    """Go to another step; returns the new row. None: another has the lease; nothing was written.

    :param lease_s: for which the holder of the lease keeps it
    :param wait_s: release the lease instead, until which time nobody needs to go on
    """
    at = db.now()
    lease: dict = {"lease_until": at + datetime.timedelta(seconds=lease_s), "lease_holder": row["lease_holder"], "due_at": at}
    if wait_s is not None:
        lease = {"lease_until": None, "lease_holder": None, "due_at": at + datetime.timedelta(seconds=wait_s)}
    changed = dict(step=step, phase=phase, number=row["number"] + 1, data=data, error=error, report=None, step_at=at,
                   updated_at=at, **lease)
    done = connection.execute(sa.update(TABLE).where(*_mine(row)).values(changed))
    return {**row, **changed, "lease_holder": row["lease_holder"]} if done.rowcount else None


def wait(connection, row: dict, delay_s: float) -> bool:
    """Release the lease until a time, to wait for a report. False: a report has arrived, or the lease was lost."""
    at = db.now()
    return connection.execute(sa.update(TABLE).where(*_mine(row), TABLE.c.report.is_(None)).values(
        due_at=at + datetime.timedelta(seconds=delay_s), lease_holder=None, lease_until=None, updated_at=at)).rowcount > 0


def retry_later(connection, row: dict, delay_s: float) -> None:
    """As ``wait``, and discard the report, so that the step is executed again."""
    at = db.now()
    connection.execute(sa.update(TABLE).where(*_mine(row)).values(
        report=None, due_at=at + datetime.timedelta(seconds=delay_s), lease_holder=None, lease_until=None, updated_at=at))


def end(connection, row: dict) -> bool:
    """End the operation. False: the lease was lost; nothing was written."""
    return connection.execute(sa.delete(TABLE).where(*_mine(row))).rowcount > 0


def report(connection, operation_id: str, number: int, found: dict) -> bool:
    """Store an agent's report. False: the operation is no longer at that step, or has a report already."""
    at = db.now()
    return connection.execute(sa.update(TABLE).where(
        TABLE.c.id == operation_id, TABLE.c.number == number, TABLE.c.report.is_(None)).values(
        report=found, due_at=at, updated_at=at)).rowcount > 0


def of_server(connection, uuid: str) -> list[dict]:
    return rows.select(connection, TABLE, instance_uuid=uuid, order_by="created_at")


def list_all(connection, **where) -> list[dict]:
    return rows.select(connection, TABLE, order_by="created_at", **where)
