"""The row of a volume while it is uploaded to an image: its status is ``uploading``, and nobody else gets the volume."""

from common import errors, rows
from volume.db import models, volumes
from volume.db.models import ATTACHED, CONNECTED

TABLE, ATTACHMENTS = models.volumes, models.attachments
UPLOADING = "uploading"


def check(row: dict, *, in_use: bool) -> None:
    """:param in_use: whether it may be in use. :raises BadRequest: it cannot be uploaded now, with Cinder's text"""
    allowed = ("available", "in-use") if in_use else ("available",)
    if row["status"] not in allowed:
        raise errors.BadRequest(f"Invalid volume: Volume {row['id']} status must be {' or '.join(allowed)}")
    if any(each["attach_status"] not in (ATTACHED, CONNECTED) for each in row["attachments"]):
        raise errors.BadRequest(f"Invalid volume: Volume {row['id']} is being attached.")


def begin(connection, volume_id: str, image_id: str, *, in_use: bool, request_id: str) -> dict:
    """The volume's row. :raises BadRequest: as ``check``"""
    row = volumes.get(connection, None, volume_id)
    check(row, in_use=in_use)
    volumes.move(connection, volume_id, "upload_in_use" if in_use else "upload", fault=None, request_id=request_id,
                 upload_image_id=image_id)
    return volumes.get(connection, None, volume_id)


def find(connection, volume_id: str, image_id: str) -> dict | None:
    """The row, locked, if the volume is being uploaded to this image. After a reset of its status it may be another one."""
    row = rows.find(connection, TABLE, volume_id)
    return row if row is not None and (row["status"], row["upload_image_id"]) == (UPLOADING, image_id) else None


def finish(connection, volume_id: str, image_id: str, *, fault: str | None = None) -> dict | None:
    """The upload has ended: the volume is in use again if it is attached, otherwise available. Repeatable.

    :param fault: why the image has not got the data
    :returns: its row; None: it is not being uploaded to this image any more
    """
    row = find(connection, volume_id, image_id)
    if row is not None:
        held = rows.exists(connection, ATTACHMENTS, volume_id=volume_id, attach_status=ATTACHED)
        volumes.move(connection, volume_id, "uploaded_in_use" if held else "uploaded", fault=fault)
    return row
