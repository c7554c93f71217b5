"""The row of a volume while an image is written over what it has: its status is ``downloading``."""

from common import errors, rows
from volume.db import models, snapshots, volumes

TABLE, ATTACHMENTS = models.volumes, models.attachments
DOWNLOADING = "downloading"


def begin(connection, row: dict, image: dict, *, reserved: bool, request_id: str) -> None:
    """
    :param row: the volume, as read in this transaction
    :param image: its image metadata afterwards
    :param reserved: whether it may be reserved for a server
    :raises Conflict: it has more than one attachment
    :raises BadRequest: it is in another state, was never created, is connected whatever its status says, or is being copied
    """
    if len(row["attachments"]) > 1:
        raise errors.Conflict("Cannot re-image a volume which is attached to more than one server.")
    if row["host"] is None:
        raise errors.BadRequest(f"Invalid volume: Volume {row['id']} was never created.")
    volumes.move(connection, row["id"], "reimage_reserved" if reserved else "reimage", fault=None, request_id=request_id,
                 image_id=image["image_id"], reimage_metadata=image)
    if any(each["attach_status"] != "reserved" for each in row["attachments"]):  # its status may have been reset
        raise errors.BadRequest(f"Invalid volume: Volume {row['id']} is connected to a server or a host.")
    if snapshots.being_read(connection, row["id"]):  # the copy would get the image, or a mixture
        raise errors.BadRequest(f"Invalid volume: A snapshot or a volume is being created from volume {row['id']}.")


def find(connection, volume_id: str, image_id: str) -> dict | None:
    """The row, locked, if the volume is getting this image. After a reset of its status it may be getting another one."""
    row = rows.find(connection, TABLE, volume_id)
    return row if row is not None and (row["status"], row["image_id"]) == (DOWNLOADING, image_id) else None


def finish(connection, volume_id: str, image_id: str) -> dict | None:
    """The volume has the image; returns its row. None: it is not getting this image any more, or was reported before."""
    row = find(connection, volume_id, image_id)
    if row is None:
        return None
    held = rows.exists(connection, ATTACHMENTS, volume_id=volume_id)
    values = {"bootable": True, "image_metadata": row["reimage_metadata"], "reimage_metadata": None, "fault": None}
    volumes.move(connection, volume_id, "reimaged_reserved" if held else "reimaged", **values)
    return {**row, **values, "status": "reserved" if held else "available"}


def servers(connection, volume_id: str) -> list[str]:
    """The servers that the volume is reserved for."""
    return [row["instance_uuid"] for row in rows.select(connection, ATTACHMENTS, volume_id=volume_id) if row["instance_uuid"]]
