"""Uploads of volumes to images: the image is made as the user, and gets its data from the volume's host."""

import logging

from common import errors, images, wsgi
from common.calls import Call
from common.rest import path
from volume import access
from volume.db import types, uploads

LOG = logging.getLogger(__name__)
SHARING = (3, 1)  # since when a request may say who sees the image, and whether it is protected
_RULE = "volume_extension:volume_actions"
# Of a volume's image metadata: about the image that it was created from, or what the image service keeps for itself.
_NOT_CARRIED = images.ATTRIBUTES | {"image_id", "image_name"}
_RESERVED = ("os_glance", "img_signature", "signature_verified")


def upload(call: Call, id: str, arguments: dict) -> dict:
    """Begin to upload a volume; returns what clients read about it.

    If this process ends before the volume is ``uploading``, a queued image without data is left, which its owner may delete.

    :raises BadRequest: the volume cannot be uploaded now, or the image service refuses the image
    """
    sharing = _sharing(call, arguments)
    in_use = wsgi.bool_value(arguments.get("force") or False) and call.svc.conf.volume.enable_force_upload
    with call.svc.db.reader() as connection:
        row = access.volume(call, connection, id, f"{_RULE}:upload_image",
                            *([f"{_RULE}:upload_public"] if sharing.get("visibility") == "public" else []))
        uploads.check(row, in_use=in_use)
        kind = types.get(connection, row["volume_type_id"]) if row["volume_type_id"] else None
    image = _made(call, row, arguments, sharing)
    try:
        row = call.svc.db.transact(uploads.begin, id, image["id"], in_use=in_use, request_id=call.ctx.trace_id)
    except Exception:  # also if the database is away
        _drop(call, image["id"])
        raise
    call.svc.send(call.svc.agents.upload_volume, call.ctx, row["host"], id)
    return {"volume": row, "type": kind, "image": image}


def _sharing(call: Call, arguments: dict) -> dict:
    """The attributes of the image that came with a later version."""
    if call.version < SHARING:
        for name in {"visibility", "protected"} & set(arguments):
            raise errors.BadRequest(f"Additional properties are not allowed ('{name}' was unexpected)")
        return {}
    return {"visibility": arguments.get("visibility", "private"), "protected": wsgi.bool_value(arguments.get("protected", False))}


def _made(call: Call, row: dict, arguments: dict, sharing: dict) -> dict:
    carried = {name: value for name, value in row["image_metadata"].items()
               if name not in _NOT_CARRIED and not name.startswith(_RESERVED)}
    body = {**carried, "name": arguments["image_name"], "container_format": arguments.get("container_format") or "bare",
            "disk_format": arguments.get("disk_format", "raw"), **sharing}
    try:
        return call.svc.rest.request("POST", "image", path("/v2/images"), body=body, ctx=call.ctx)
    except errors.ServiceUnavailable:
        raise
    except errors.Error as error:  # as Cinder answers
        raise errors.BadRequest(str(error)) from error


def abandon(call: Call, row: dict) -> None:
    """Delete the image of an upload that is given up: if the volume's host has not begun it, it never hears of it.

    :param row: of the volume, before its status was reset or it was deleted by force
    """
    if row["status"] == uploads.UPLOADING:
        _drop(call, row["upload_image_id"])


def _drop(call: Call, image_id: str) -> None:
    try:
        images.drop_unfilled(call.svc.rest, image_id)
    except errors.Error as error:
        LOG.warning("image %s, to which no volume is uploaded, could not be deleted: %s", image_id, error)
