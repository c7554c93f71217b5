"""Connections of hosts without a server, and the actions by which clients say that they attach and detach.

A client such as python-brick-cinderclient-ext, or the bare-metal service, reserves a volume (os-reserve), connects its host to it
(os-initialize_connection), and says where it is attached (os-attach); afterwards os-begin_detaching, os-terminate_connection and
os-detach. A connection is an attachment with the status ``connected`` and without an instance, so it is listed, exported again
after a restart, and ended like others. One that its client has left is ended by os-terminate_connection, by any client, or by
deleting the attachment; until then the volume cannot be deleted.
"""

import contextlib

from common import db, errors, rows
from common.calls import Call
from volume import access
from volume.db import attachments, volumes
from volume.db.models import ATTACHED, CONNECTED
from volume.drivers import IO_PAUSED
from volume.services.attachments import changed, check_unused, connect, end

_ACTIONS = "volume_extension:volume_actions"


def initialize(call: Call, id: str, arguments: dict) -> dict:
    """Connect a host; returns the attachment with its connection info. Repeatable: a host has one connection to a volume.

    Of a host that does not answer it is not known what it has exported: the connection stays, to be made again or terminated.

    :raises BadRequest: the connector has no initiator, or the volume cannot be connected now
    """
    connector = {name: value for name, value in arguments["connector"].items() if name != IO_PAUSED}
    with call.svc.db.writer() as connection:
        volume = access.volume(call, connection, id, f"{_ACTIONS}:initialize_connection")
        if not connector.get("initiator"):
            raise errors.BadRequest("Invalid input received: Connector doesn't have required information: initiator")
        row = attachments.add_connection(connection, volume, connector)
    try:
        row = connect(call, row, volume, connector)
    except errors.StepFailed:
        if not row["connection_info"]:
            with contextlib.suppress(errors.Error):  # then it stays, as above
                end(call, row, volume["host"])
        raise
    changed(call, row)
    return row


def terminate(call: Call, id: str, arguments: dict) -> None:
    """End the connections of a host, and the reservation of a volume that nothing uses; as in Cinder it is no error if there are
    none.

    :raises Conflict: a server uses the volume
    """
    with call.svc.db.reader() as connection:
        volume = access.volume(call, connection, id, f"{_ACTIONS}:terminate_connection", f"{_ACTIONS}:unreserve")
    _terminate(call, volume, arguments["connector"] or {})


def _terminate(call: Call, volume: dict, connector: dict) -> None:
    """:param connector: without an initiator and a host, the connections of all hosts are ended"""
    for row in volume["attachments"]:
        check_unused(call, row)
    key = next((name for name in ("initiator", "host") if connector.get(name)), None)
    for row in volume["attachments"]:
        if row["attach_status"] == CONNECTED and (key is None or row["connector"].get(key) == connector[key]):
            with contextlib.suppress(errors.NotFound):  # another request has ended it
                end(call, row, volume["host"])
    call.svc.db.transact(attachments.release, volume["id"])


def attach(call: Call, id: str, arguments: dict) -> None:
    """Mark a volume as attached, by a connection or by other access to the storage."""
    if bool(arguments.get("instance_uuid")) == bool(arguments.get("host_name")):
        raise errors.BadRequest("Invalid request to attach volume to an instance and/or a host: one of them is needed.")
    with call.svc.db.writer() as connection:
        row = access.volume(call, connection, id, f"{_ACTIONS}:attach")
        if _held(row):
            raise errors.BadRequest("Invalid volume: The volume is already attached.")
        if row["status"] == "available":
            volumes.move(connection, id, "hold")
        volumes.move(connection, id, "complete")
        rows.insert(connection, volumes.ATTACHMENTS, attachments.new(
            row, instance_uuid=arguments.get("instance_uuid"), attach_status=ATTACHED, mountpoint=arguments.get("mountpoint"),
            attached_host=arguments.get("host_name"), attach_mode=arguments.get("mode") or "rw", attached_at=db.now()))


def _held(volume: dict) -> list[dict]:
    """The attachments of a volume that are no connections."""
    return [each for each in volume["attachments"] if each["attach_status"] != CONNECTED]


def detach(call: Call, id: str, arguments: dict | None) -> None:
    """End an attachment. As in Cinder it is no error if there is none.

    :raises Conflict: a server uses the volume by it
    """
    with call.svc.db.reader() as connection:
        volume = access.volume(call, connection, id, f"{_ACTIONS}:detach")
    row = _chosen(volume, arguments)
    _detach(call, volume, row)


def _chosen(volume: dict, arguments: dict | None) -> dict | None:
    """The attachment that is meant; None: none is named, and the volume has none."""
    wanted = (arguments or {}).get("attachment_id")
    held = [each for each in _held(volume) if wanted in (None, each["id"])]
    if wanted and not held:
        raise errors.BadRequest("Invalid volume: The volume has no such attachment.")
    if len(held) > 1:
        raise errors.BadRequest("Invalid volume: Detach volume failed: More than one attachment, but no attachment_id "
                                "provided.")
    return held[0] if held else None


def _detach(call: Call, volume: dict, row: dict | None) -> None:
    if row is not None:
        check_unused(call, row)
        end(call, row, volume["host"])
    elif volume["status"] in ("in-use", "detaching") and not volume["attachments"]:  # its status has been reset
        call.svc.db.transact(volumes.move, volume["id"], "detach")


def force_detach(call: Call, id: str, arguments: dict) -> None:
    """Terminate and detach, whatever the volume's status is.

    :raises Conflict: a server uses the volume
    """
    with call.svc.db.reader() as connection:
        volume = access.volume(call, connection, id, "volume_extension:volume_admin_actions:force_detach",
                               f"{_ACTIONS}:terminate_connection", f"{_ACTIONS}:unreserve", f"{_ACTIONS}:detach")
    row = _chosen(volume, arguments)
    _terminate(call, volume, arguments.get("connector") or {})
    _detach(call, volume, row)
