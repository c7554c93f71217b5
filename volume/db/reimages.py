"""The row of a volume while an image is written over what it has: its status is ``downloading``."""

import sqlalchemy as sa

from common import errors, rows
from volume.db import models, volumes

TABLE, ATTACHMENTS = models.volumes, models.attachments
DOWNLOADING = "downloading"


def begin(connection, row: dict, image: dict, *, reserved: bool, request_id: str) -> None:
    """
    :param row: the volume, as read in this transaction
    :param image: its image metadata afterwards
    :param reserved: whether it may be reserved for a server
    :raises Conflict: it has more than one attachment
    :raises BadRequest: it is in another state, or was never created
    """
    if len(row["attachments"]) > 1:
        raise errors.Conflict("Cannot re-image a volume which is attached to more than one server.")
    if row["host"] is None:
        raise errors.BadRequest(f"Invalid volume: Volume {row['id']} was never created.")
    volumes.move(connection, row["id"], "reimage_reserved" if reserved else "reimage", fault=None, request_id=request_id,
                 image_id=image["image_id"], reimage_metadata=image)


def is_downloading(connection, volume_id: str) -> bool:
    """The row is locked, so that the answer stays true until the transaction ends."""
    row = rows.find(connection, TABLE, volume_id)
    return row is not None and row["status"] == DOWNLOADING


def finish(connection, volume_id: str) -> dict | None:
    """The volume has the image; returns its row. None: it is not being written to any more, or was reported before."""
    row = rows.one(connection, sa.select(TABLE).where(TABLE.c.id == volume_id).with_for_update())
    if row is None or row["status"] != DOWNLOADING:
        return None
    held = rows.exists(connection, ATTACHMENTS, volume_id=volume_id)
    values = {"bootable": True, "image_metadata": row["reimage_metadata"], "reimage_metadata": None, "fault": None}
    volumes.move(connection, volume_id, "reimaged_reserved" if held else "reimaged", **values)
    return {**row, **values, "status": "reserved" if held else "available"}


def servers(connection, volume_id: str) -> list[str]:
    """The servers that the volume is reserved for."""
    return [row["instance_uuid"] for row in rows.select(connection, ATTACHMENTS, volume_id=volume_id) if row["instance_uuid"]]
