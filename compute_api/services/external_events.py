"""Events that other services report about servers: changed addresses, volumes that were extended or got an image."""

import logging

from common import errors, rows
from common.calls import Call
from compute_api.services import interfaces, network_info
from conductor.db import actions, models, rebuilds

LOG = logging.getLogger(__name__)
TABLE = models.instances
EXTENDED, REIMAGED = "volume-extended", "volume-reimaged"
SINCE = {EXTENDED: (2, 51), REIMAGED: (2, 93)}


def receive(call: Call, event: dict) -> int:
    """Handle an event; returns its status code, as in Nova.

    :param event: {"name", "server_uuid"}, with the volume's id as "tag" of an event about it; the network service
        adds "ports" (see ``network_info.apply``), so that no request to it is necessary
    """
    if event["name"] in ABOUT_VOLUMES:
        return _about_volume(call, event)
    uuid = event["server_uuid"]
    if event["name"] == "network-vif-deleted" and event.get("tag"):
        return _port_deleted(call, uuid, event["tag"])
    known = network_info.apply(call.svc, uuid, event["ports"]) if "ports" in event else network_info.store(call.svc, uuid)
    return 200 if known else 404


def _port_deleted(call: Call, uuid: str, port_id: str) -> int:
    """A user deleted a server's port: its host takes the interface from the guest. While something else is done with the
    server, only what is shown of it changes, and the guest keeps an interface that is connected to nothing."""
    try:
        return 200 if interfaces.drop(call, uuid, port_id) else 404
    except errors.InvalidState:
        return 200 if network_info.store(call.svc, uuid) else 404


def _about_volume(call: Call, event: dict) -> int:
    uuid, volume_id = event["server_uuid"], event.get("tag")
    if volume_id is None:
        return 400
    with call.svc.db.writer() as connection:
        row = rows.find(connection, TABLE, uuid, key="uuid")
        if row is None:
            return 404
        if row["host"] is None:
            return 422
        messages = ABOUT_VOLUMES[event["name"]](call, connection, row, volume_id)
    for method, *arguments in messages:
        call.svc.send(method, call.ctx, *arguments)
    return 200


def _reimaged(call: Call, connection, row: dict, volume_id: str) -> list[tuple]:
    """The rebuild that waits for a volume goes on; it asks the volume service itself whether that has the image."""
    return [(call.svc.conductor.drive_operation, operation_id) for operation_id in rebuilds.hasten(connection, row["uuid"])]


def _extended(call: Call, connection, row: dict, volume_id: str) -> list[tuple]:
    """The server's host shows the guest the new size of a volume."""
    actions.start(connection, call.ctx, row["uuid"], "extend_volume")
    LOG.info("volume %s of instance %s was extended; telling host %s", volume_id, row["uuid"], row["host"])
    return [(call.svc.agents.extend_volume, row["host"], row["uuid"], volume_id)]


# {event: (call, connection, server, the volume's id) -> [(method, its arguments)] to be sent when the transaction has ended}
ABOUT_VOLUMES = {EXTENDED: _extended, REIMAGED: _reimaged}
