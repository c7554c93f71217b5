"""Servers that were deleted and can be restored for ``reclaim_instance_interval``: their guests are off, and nothing of them is
given away."""

import datetime

import sqlalchemy as sa

from common import db, rows
from common.server_states import ACTIONS, SOFT_DELETED
from conductor.db import actions, deletion, machine, models

TABLE = models.instances
SOFT_DELETE, RESTORE = "soft-delete", "restore"
AT_ONCE = 100


def applies(row: dict) -> bool:
    """Whether a server can be kept: one that was never built, that is being worked on, or whose disk is not in its place
    (rescued, resized, shelved) is deleted immediately.
    """
    return row["host"] is not None and row["task_state"] is None and row["vm_state"] in (ACTIONS[SOFT_DELETE].ends or ())


def is_deleted(row: dict) -> bool:
    """Whether a server has been deleted, or is being deleted, so that it can be restored; one that is being restored is not."""
    task = row["task_state"]
    return task == ACTIONS[SOFT_DELETE].task_state or row["vm_state"] == SOFT_DELETED and task is None


def begin(connection, ctx, row: dict) -> None:
    """:param row: a server that this ``applies`` to, as read in this transaction"""
    machine.begin(connection, row["uuid"], SOFT_DELETE, request_id=ctx.request_id, soft_deleted_at=db.now())
    actions.start(connection, ctx, row["uuid"], "delete")


def restore(connection, ctx, uuid: str) -> None:
    """If it fails, the server is kept for the whole interval again.

    :raises InvalidState: the server was not deleted
    """
    machine.begin(connection, uuid, RESTORE, request_id=ctx.request_id, soft_deleted_at=db.now())
    actions.start(connection, ctx, uuid, RESTORE)


def due(connection, kept_s: float) -> list[dict]:
    """The AT_ONCE servers that were deleted first, of those deleted for so long."""
    c, before = TABLE.c, db.now() - datetime.timedelta(seconds=kept_s)
    return rows.many(connection, sa.select(TABLE).where(
        c.vm_state == SOFT_DELETED, c.task_state.is_(None), c.soft_deleted_at < before,
    ).order_by(c.soft_deleted_at).limit(AT_ONCE))


def reclaim(connection, ctx, uuid: str, kept_s: float, down_time_s: int) -> tuple[str, dict] | None:
    """Begin the deletion of a server that has been kept long enough; as ``deletion.begin``. None: it was restored meanwhile."""
    row = rows.one(connection, sa.select(TABLE).where(TABLE.c.uuid == uuid).with_for_update())
    kept_since = db.now() - datetime.timedelta(seconds=kept_s)
    if row is None or row["vm_state"] != SOFT_DELETED or row["task_state"] or row["soft_deleted_at"] > kept_since:
        return None
    row["block_devices"] = rows.select(connection, models.block_devices, instance_uuid=uuid)
    return deletion.begin(connection, ctx, row, down_time_s)
