"""An image of a server's disk: made as the user, filled by the server's host."""

import logging

from common import errors, wsgi
from common.rest import path
from compute_api import access
from conductor.db import actions as history
from conductor.db import machine

LOG = logging.getLogger(__name__)
# What describes the old image's bytes, or the old image's standing, is not the new one's.
_NOT_INHERITED = {"id", "name", "owner", "checksum", "os_hash_algo", "os_hash_value", "size", "virtual_size", "status",
                  "visibility", "created_at", "updated_at", "self", "file", "schema", "tags", "protected", "os_hidden",
                  "disk_format", "container_format", "min_disk", "min_ram", "backup_type", "backup_rotation",
                  "stores", "locations", "direct_url", "block_device_mapping", "bdm_v2", "root_device_name"}


def create(req, id, arguments):
    return _create(req, id, arguments, "os_compute_api:servers:create_image", "image_snapshot", "createImage", {
        "image_type": "snapshot"})


def back_up(req, id, arguments):
    """An image that takes its turn: of each ``backup_type`` the last ``rotation`` are kept."""
    return _create(req, id, arguments, "os_compute_api:os-create-backup", "image_backup", "createBackup", {
        "image_type": "backup", "backup_type": arguments["backup_type"], "backup_rotation": str(arguments["rotation"])})


def _create(req, id, arguments, rule: str, action: str, recorded: str, properties: dict):
    """Of a locked server too: a lock keeps a server as it is, and a copy of it does no harm to that."""
    with req.svc.db.reader() as connection:
        row = access.server(req, connection, id, rule)
    image = row["image_meta"]
    if not image and action == "image_snapshot":
        req.svc.policy.check(req.ctx, "os_compute_api:servers:create_image:allow_volume_backed", access.target(row))
    if not image and action == "image_backup":
        raise errors.BadRequest("It is not supported to back up a server that boots from a volume.")
    inherited = {k: v for k, v in image.get("properties", {}).items()
                 if k not in _NOT_INHERITED and not k.startswith("os_glance_") and isinstance(v, str)}
    body = {**inherited, **arguments.get("metadata", {}), "name": arguments["name"], "container_format": "bare",
            "visibility": "private", **properties, "instance_uuid": id, "user_id": req.ctx.user_id}
    if image:
        body.update(disk_format="qcow2", min_ram=image.get("min_ram") or 0, base_image_ref=image["id"],
                    min_disk=max(row["flavor"]["disk"], image.get("min_disk") or 0))
    else:  # it will name snapshots of the volumes, and have no bytes
        body.update(disk_format="raw")
    image_id = req.svc.rest.request("POST", "image", path("/v2/images"), body=body, ctx=req.ctx)["id"]
    try:
        req.svc.db.transact(_begin, req.ctx, id, action, recorded)
    except errors.Error:
        _drop(req, image_id)
        raise
    req.svc.send(req.svc.agents.snapshot, req.ctx, row["host"], id, image_id)
    if req.version >= (2, 45):
        return wsgi.json_response({"image_id": image_id}, 202)
    response = wsgi.Response(status=202)
    response.headers["Location"] = f"{req.svc.conf.endpoints.image}/images/{image_id}"
    return response


def _begin(connection, ctx, id: str, action: str, recorded: str) -> None:
    machine.begin(connection, id, action, request_id=ctx.request_id)
    history.start(connection, ctx, id, recorded)


def _drop(req, image_id: str) -> None:
    try:
        req.svc.rest.request("DELETE", "image", path("/v2/images/{id}", image_id), ctx=req.ctx)
    except errors.Error as error:
        LOG.warning("image %s of a failed snapshot could not be deleted: %s", image_id, error)
