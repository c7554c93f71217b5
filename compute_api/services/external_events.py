"""Events that other services report about servers: changed addresses, volumes that were extended or got an image."""

import logging

from common import rows
from common.calls import Call
from compute_api.services import network_info
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
    if event["name"] == EXTENDED:
        return _extended(call, event)
    if event["name"] == REIMAGED:
        return _reimaged(call, event)
    uuid = event["server_uuid"]
    known = network_info.apply(call.svc, uuid, event["ports"]) if "ports" in event else network_info.store(call.svc, uuid)
    return 200 if known else 404


def _reimaged(call: Call, event: dict) -> int:
    """The rebuild that waits for a volume goes on; it asks the volume service itself whether that has the image."""
    uuid = event["server_uuid"]
    if event.get("tag") is None:
        return 400
    with call.svc.db.writer() as connection:
        row = rows.find(connection, TABLE, uuid, key="uuid")
        if row is None:
            return 404
        if row["host"] is None:
            return 422
        waiting = rebuilds.hasten(connection, uuid)
    for operation_id in waiting:
        call.svc.send(call.svc.conductor.drive_operation, call.ctx, operation_id)
    return 200


def _extended(call: Call, event: dict) -> int:
    """Have the server's host show the guest the new size of a volume."""
    uuid, volume_id = event["server_uuid"], event.get("tag")
    if volume_id is None:
        return 400
    with call.svc.db.writer() as connection:
        row = rows.find(connection, TABLE, uuid, key="uuid")
        if row is None:
            return 404
        if row["host"] is None:
            return 422
        actions.start(connection, call.ctx, uuid, "extend_volume")
    LOG.info("volume %s of instance %s was extended; telling host %s", volume_id, uuid, row["host"])
    call.svc.send(call.svc.agents.extend_volume, call.ctx, row["host"], uuid, volume_id)
    return 200
