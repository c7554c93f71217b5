"""Queries on snapshots, and the table of their states."""

import sqlalchemy as sa

from common import db, errors, rows, states
from volume.db import models

TABLE = models.snapshots
# action: (allowed states, state after it)
ACTIONS = {
    "created": ({"creating"}, "available"), "create_failed": ({"creating"}, "error"),
    "delete": ({"available", "error", "error_deleting"}, "deleting"), "delete_failed": ({"deleting"}, "error_deleting"),
}


def move(connection, snapshot_id: str, action: str, **values) -> None:
    """:raises BadRequest: with the text that clients know"""
    allowed, to = ACTIONS[action]
    try:
        states.move(connection, TABLE, snapshot_id, column="status", allowed=allowed, to=to, action=action,
                    resource="snapshot", values={"updated_at": db.now(), **values})
    except errors.InvalidState as error:
        raise errors.BadRequest(f"Invalid snapshot: Snapshot status must be {', '.join(sorted(allowed))}, but is "
                                f"{error.arguments.get('state')}.") from error


def get(connection, ctx, snapshot_id: str) -> dict:
    """:raises NotFound: there is none that this caller may see"""
    query = sa.select(TABLE).where(TABLE.c.id == snapshot_id)
    if not (ctx.is_admin or ctx.is_service):
        query = query.where(TABLE.c.project_id == ctx.project_id)
    row = rows.one(connection, query)
    if row is None:
        raise errors.NotFound(f"Snapshot {snapshot_id} could not be found.")
    return row


def of_volume(connection, volume_id: str) -> list[dict]:
    return rows.many(connection, sa.select(TABLE).where(TABLE.c.volume_id == volume_id))


def being_copied(connection, **source) -> bool:
    """Whether a volume is being made right now of a snapshot (``snapshot_id``) or a volume (``source_volid``)."""
    v = models.volumes
    return connection.execute(sa.select(v.c.id).where(
        v.c.status == "creating", *[v.c[name] == value for name, value in source.items()])).first() is not None
