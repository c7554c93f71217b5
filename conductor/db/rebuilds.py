"""Rebuilds of servers that boot from a volume: the volume gets another image."""

import sqlalchemy as sa

from common import db
from common.server_states import ACTIVE, STOPPED
from conductor.db import models, operations

REBUILD_VOLUME = "rebuild_volume"
_WAITING = "reimage"  # the step in which the volume gets its image
# Steps that nothing else may end: they replace the attachment of the volume that the server boots from, and what the volume has.
# None of them needs the server's host.
GUARDED = ("reserve", "request", _WAITING)


def begin(connection, ctx, row: dict, volume_id: str, image_id: str) -> str:
    """Begin the operation of a server whose rebuild this transaction has begun; returns the id of the operation.

    :param row: the server as it was before
    """
    return operations.begin(connection, ctx, REBUILD_VOLUME, row["uuid"], row["attempt"] + 1, {
        "source": row["host"], "target": row["host"], "before": row["vm_state"], "volume_id": volume_id, "image_id": image_id,
        "vm_state": STOPPED if row["vm_state"] == STOPPED else ACTIVE})


def hasten(connection, uuid: str) -> list[str]:
    """A volume of a server has its image: the operation that waits for it is due now. Returns its id, if there is one."""
    table = models.operations
    waiting = [table.c.instance_uuid == uuid, table.c.kind == REBUILD_VOLUME, table.c.step == _WAITING]
    connection.execute(sa.update(table).where(*waiting).values(due_at=db.now()))
    return list(connection.execute(sa.select(table.c.id).where(*waiting)).scalars())
