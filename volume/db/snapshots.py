"""Queries on snapshots, and the table of their states."""

import sqlalchemy as sa

from common import rows
from volume.db import models, volumes

TABLE = models.snapshots
# {action: (allowed states, state after it)}. os-update_snapshot_status may have set "available" too early.
ACTIONS = {
    "created": ({"creating"}, "available"), "create_failed": ({"creating", "available"}, "error"),
    "delete": ({"available", "error", "error_deleting"}, "deleting"), "delete_failed": ({"deleting"}, "error_deleting"),
}


def move(connection, snapshot_id: str, action: str, **values) -> None:
    """:raises BadRequest: with Cinder's text"""
    volumes.move_status(connection, TABLE, ACTIONS, "snapshot", snapshot_id, action, values)


def get(connection, project_id: str | None, snapshot_id: str) -> dict:
    """A snapshot of a project, or of any project (None). :raises NotFound: there is none"""
    return volumes.of_project(connection, project_id, TABLE, snapshot_id, f"Snapshot {snapshot_id} could not be found.")


def of_volume(connection, volume_id: str) -> list[dict]:
    return rows.many(connection, sa.select(TABLE).where(TABLE.c.volume_id == volume_id))


def of_volumes(**where):
    """The WHERE of the snapshots of volumes with these values."""
    v = models.volumes
    return TABLE.c.volume_id.in_(sa.select(v.c.id).where(*[v.c[name] == value for name, value in where.items()]))


def being_copied(connection, **source) -> bool:
    """Whether a volume is being created from a snapshot (``snapshot_id``) or a volume (``source_volid``)."""
    v = models.volumes
    return connection.execute(sa.select(v.c.id).where(
        v.c.status == "creating", *[v.c[name] == value for name, value in source.items()])).first() is not None


def being_read(connection, volume_id: str) -> bool:
    """Whether a snapshot of the volume is being made, or a volume is being created from it.

    To be called with the volume's row locked: then no more begins.
    """
    return being_copied(connection, source_volid=volume_id) or any(
        each["status"] == "creating" for each in of_volume(connection, volume_id))
