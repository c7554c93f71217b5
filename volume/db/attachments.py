"""Queries on attachments, and the resulting status of volumes.

During a migration of its server, a volume has two attachments: the new host is connected before the former one is disconnected.
"""

from common import rows
from volume.db import extensions, models, volumes

TABLE = models.attachments
ATTACHED = "attached"


def reserve(connection, volume: dict, instance_uuid: str | None) -> None:
    """Reserve an attachment: the volume must be available, or in use by the same server.

    :raises BadRequest: it is neither
    """
    if volume["status"] == "in-use" and instance_uuid:
        held = rows.select(connection, TABLE, volume_id=volume["id"])
        if held and {each["instance_uuid"] for each in held} == {instance_uuid}:
            return
    volumes.move(connection, volume["id"], "reserve")


def connected(connection, row: dict) -> None:
    """The export of a reserved attachment has been created."""
    if not _others(connection, row):
        volumes.move(connection, row["volume_id"], "attach")


def ended(connection, row: dict) -> None:
    """:raises NotFound: the attachment has been deleted already"""
    rows.delete(connection, TABLE, row["id"], resource="attachment")
    others = _others(connection, row)
    if not others:
        if not extensions.detached(connection, row["volume_id"]):
            volumes.move(connection, row["volume_id"], "detach")
    elif row["attach_status"] == ATTACHED and all(each["attach_status"] != ATTACHED for each in others):
        volumes.move(connection, row["volume_id"], "rejoin")


def _others(connection, row: dict) -> list[dict]:
    """The volume's other attachments; its row is locked, so that they cannot change."""
    rows.find(connection, volumes.TABLE, row["volume_id"])
    return rows.select(connection, TABLE, TABLE.c.id != row["id"], volume_id=row["volume_id"])


def get(connection, project_id: str | None, attachment_id: str) -> dict:
    """An attachment of a project's volume, or of any project's (None). :raises NotFound: there is none"""
    return volumes.of_project(connection, project_id, TABLE, attachment_id,
                              f"Volume attachment could not be found with filter: attachment_id = {attachment_id}.")
