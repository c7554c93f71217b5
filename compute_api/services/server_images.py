"""Images of a server's disk: created as the user, uploaded by the server's host."""

import logging

from common import errors, images
from common.calls import Call
from common.rest import path
from compute_api import access
from conductor.db import actions as history
from conductor.db import machine

LOG = logging.getLogger(__name__)
# These describe the data or the state of the old image.
_NOT_INHERITED = images.ATTRIBUTES | {"backup_type", "backup_rotation", "block_device_mapping", "bdm_v2", "root_device_name"}


def create(call: Call, id: str, arguments: dict, rule: str, action: str, recorded: str, properties: dict) -> str:
    """Begin to create an image of a server's disk; returns the id of the image.

    Allowed for locked servers too, because it does not change the server.

    :param arguments: of the action: "name", "metadata"
    :param properties: take precedence over the metadata and over those of the image that the server was created from
    """
    with call.svc.db.reader() as connection:
        row = access.server(call, connection, id, rule)
    image = row["image_meta"]
    if not image and action == "image_snapshot":
        call.svc.policy.check(call.ctx, "os_compute_api:servers:create_image:allow_volume_backed", access.target(row))
    if not image and action == "image_backup":
        raise errors.BadRequest("It is not supported to back up a server that boots from a volume.")
    image_id = made(call, row, arguments["name"], arguments.get("metadata", {}), properties)
    try:
        call.svc.db.transact(_begin, call.ctx, id, action, recorded)
    except Exception:  # also if the database is away
        drop(call, image_id)
        raise
    call.svc.send(call.svc.agents.snapshot, call.ctx, row["host"], id, image_id)
    return image_id


def drop_queued(call: Call, row: dict) -> None:
    """Delete the queued images of a deleted server. If the request to its host was lost, nobody would upload or delete them."""
    query = path("/v2/images", query={"instance_uuid": row["uuid"], "owner": row["project_id"], "status": "queued"})
    try:
        found = call.svc.rest.request("GET", "image", query, ctx=call.ctx)["images"]
    except errors.Error as error:
        LOG.warning("images of the deleted instance %s could not be listed: %s", row["uuid"], error)
        return
    for image in found:
        drop(call, image["id"])


def made(call: Call, row: dict, name: str, metadata: dict, properties: dict) -> str:
    """An image without data, as the user has it, for the disk of a server or for snapshots of its volumes; its id."""
    image = row["image_meta"]
    inherited = {k: v for k, v in image.get("properties", {}).items()
                 if k not in _NOT_INHERITED and not k.startswith("os_glance_") and isinstance(v, str)}
    body = {**inherited, "image_type": "snapshot", **metadata, "name": name, "container_format": "bare", "visibility": "private",
            **properties, "instance_uuid": row["uuid"], "user_id": call.ctx.user_id}
    if image:
        body.update(disk_format="qcow2", min_ram=image.get("min_ram") or 0, base_image_ref=image["id"],
                    min_disk=max(row["flavor"]["disk"], image.get("min_disk") or 0))
    else:  # it will name snapshots of the volumes, and have no bytes
        body.update(disk_format="raw")
    return call.svc.rest.request("POST", "image", path("/v2/images"), body=body, ctx=call.ctx)["id"]


def _begin(connection, ctx, id: str, action: str, recorded: str) -> None:
    machine.begin(connection, id, action, request_id=ctx.request_id)
    history.start(connection, ctx, id, recorded)


def drop(call: Call, image_id: str) -> None:
    try:
        call.svc.rest.request("DELETE", "image", path("/v2/images/{id}", image_id), ctx=call.ctx)
    except errors.Error as error:
        LOG.warning("image %s of a failed snapshot could not be deleted: %s", image_id, error)
