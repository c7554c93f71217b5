"""Queries on attachments, and the resulting status of volumes.

During a migration of its server, a volume has two attachments: the new host is connected before the former one is disconnected.
A multiattach volume has attachments of several servers. Only one that brings a new server can be in progress, as in Cinder: it
has the status of the volume, which is in-use before and after it.

A connection is an attachment without a server, which a client made with os-initialize_connection. The volume's status follows
from what that client says it does (os-reserve, os-attach, os-begin_detaching), not from its connection.
"""

from common import context, db, errors, rows
from volume.db import extensions, models, reimages, uploads, volumes
from volume.db.models import ATTACHED, CONNECTED, RESERVED

TABLE = models.attachments


def new(volume: dict, **values) -> dict:
    """The row of a new attachment of a volume."""
    return {"id": context.new_uuid(), "volume_id": volume["id"], "project_id": volume["project_id"], "instance_uuid": None,
            "attach_status": RESERVED, "mountpoint": None, "attached_host": None, "connector": {}, "connection_info": {},
            "attach_mode": "ro" if volume["readonly"] else "rw", "attached_at": None, "created_at": db.now(), **values}


def reserve(connection, volume: dict, instance_uuid: str | None, *, connected: bool = True) -> None:
    """Reserve an attachment: the volume must be available, in use by the same server, or in use and multiattach.

    :param connected: whether the attachment is to be connected in the same request. One that is not may also be made while the
        server's other attachment is not in use: it replaces that one when a server leaves its host
    :raises BadRequest: it is none of these
    """
    held = rows.select(connection, TABLE, volume_id=volume["id"])
    if instance_uuid and (_is_migration(volume, held, instance_uuid) or not connected and _is_own(volume, held, instance_uuid)):
        return
    volumes.move(connection, volume["id"], "reserve_multiattach" if volume["multiattach"] else "reserve")


def _is_migration(volume: dict, held: list[dict], instance_uuid: str) -> bool:
    """Whether a new attachment would be one more of a server that uses the volume."""
    if volume["multiattach"]:
        return volume["status"] in ("in-use", "reserved", "attaching", "detaching") and instance_uuid in _servers(held)
    return volume["status"] == "in-use" and bool(held) and {each["instance_uuid"] for each in held} == {instance_uuid}


def _servers(held: list[dict]) -> set[str]:
    """The servers with a complete attachment."""
    return {each["instance_uuid"] for each in held if each["attach_status"] == ATTACHED and each["instance_uuid"]}


def _is_own(volume: dict, held: list[dict], instance_uuid: str) -> bool:
    """Whether the server has an attachment, and no other may get the volume."""
    servers = {each["instance_uuid"] for each in held}
    return volume["status"] in ("reserved", "attaching", "in-use") and (
        instance_uuid in servers if volume["multiattach"] else servers == {instance_uuid})


def connected(connection, row: dict) -> None:
    """The export of a reserved attachment has been created."""
    others = _others(connection, row)
    if not any(row["instance_uuid"] and each["instance_uuid"] == row["instance_uuid"] for each in others):
        volumes.move(connection, row["volume_id"], "attach")


def completed(connection, row: dict, values: dict) -> None:
    """A server uses the volume now. :param values: columns of the attachment to write"""
    others, volume = _others(connection, row), volumes.get(connection, None, row["volume_id"])
    if not _unfinished(others, {row["instance_uuid"]}) and volume["status"] != uploads.UPLOADING and not (
            volume["multiattach"] and volume["status"] == "detaching"):
        volumes.move(connection, row["volume_id"], "complete")
    rows.update(connection, TABLE, row["id"], {**values, "attach_status": ATTACHED}, resource="attachment")


def ended(connection, row: dict) -> None:
    """:raises NotFound: the attachment has been deleted already"""
    rows.delete(connection, TABLE, row["id"], resource="attachment")
    if row["attach_status"] == CONNECTED:
        release(connection, row["volume_id"])
        return
    others = _others(connection, row)
    status = rows.get(connection, volumes.TABLE, row["volume_id"], resource="volume")["status"]
    if status in (reimages.DOWNLOADING, uploads.UPLOADING):
        return  # the end of that sets the status by the attachments
    if not others:
        if not extensions.detached(connection, row["volume_id"]):
            volumes.move(connection, row["volume_id"], "detach")
        return
    servers = _servers(others)
    complete = [each for each in others if each["attach_status"] == ATTACHED]
    if complete and not _unfinished(others, servers) and status in ("reserved", "attaching", "detaching"):
        volumes.move(connection, row["volume_id"], "settle")
    elif status in ("in-use", "detaching", "attaching") and all(each["attach_status"] == RESERVED for each in others):
        volumes.move(connection, row["volume_id"], "disconnected")
    elif not complete and status in ("in-use", "detaching"):
        volumes.move(connection, row["volume_id"], "rejoin")


def add_connection(connection, volume: dict, connector: dict) -> dict:
    """The row of a host's connection, of which the export is to be made; the one that there is, if this is repeated.

    Unlike in Cinder, an available volume is then reserved, as by os-reserve, so that nobody else gets it, and a volume that a
    server uses gets no connection beside that, unless it is multiattach.

    :param volume: as read in this transaction
    :raises BadRequest: the status of the volume does not allow it, or a server uses it
    """
    known = next((each for each in volume["attachments"] if each["attach_status"] == CONNECTED and
                  each["connector"].get("initiator") == connector["initiator"]), None)
    if known is not None:
        return known
    if not volume["multiattach"] and any(each["instance_uuid"] and (each["connection_info"] or each["attach_status"] != ATTACHED)
                                         for each in volume["attachments"]):
        raise errors.BadRequest(f"Invalid volume: Volume {volume['id']} is used by a server.")
    if volume["status"] != "in-use":
        volumes.move(connection, volume["id"], "connect")
    return rows.insert(connection, TABLE, new(volume, attach_status=CONNECTED, connector=connector,
                                              attached_host=connector.get("host")))


def release(connection, volume_id: str) -> None:
    """End the reservation of a volume, if it has one and nothing of it is in progress."""
    volume = rows.find(connection, volumes.TABLE, volume_id)
    held = rows.select(connection, TABLE, volume_id=volume_id)
    if volume and volume["status"] == "attaching" and all(each["attach_status"] == ATTACHED for each in held):
        volumes.move(connection, volume_id, "settle" if held else "unhold")


def _unfinished(held: list[dict], servers: set) -> list[dict]:
    """The attachments in progress that bring another server than these."""
    return [each for each in held if each["attach_status"] not in (ATTACHED, CONNECTED) and each["instance_uuid"] not in servers]


def _others(connection, row: dict) -> list[dict]:
    """The volume's other attachments; its row is locked, so that they cannot change."""
    rows.find(connection, volumes.TABLE, row["volume_id"])
    return rows.select(connection, TABLE, TABLE.c.id != row["id"], volume_id=row["volume_id"])


def get(connection, project_id: str | None, attachment_id: str) -> dict:
    """An attachment of a project's volume, or of any project's (None). :raises NotFound: there is none"""
    return volumes.of_project(connection, project_id, TABLE, attachment_id,
                              f"Volume attachment could not be found with filter: attachment_id = {attachment_id}.")
