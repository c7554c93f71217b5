"""Rescue: the guest boots from another image with its own disk attached, so that its owner can repair the disk."""

from common import errors, rows
from common.calls import Call
from compute_api import access, images
from compute_api.services import power
from conductor.db import models

_RULE = "os_compute_api:os-rescue"


def rescue(call: Call, id: str, image_ref: str | None) -> None:
    """:param image_ref: the image to run from; None: the image that the server was created from"""
    with call.svc.db.reader() as connection:
        row = access.server(call, connection, id, _RULE)
    if not row["image_meta"]:
        raise errors.BadRequest(f"Instance {id} cannot be rescued: Cannot rescue a volume-backed instance")
    image = row["image_meta"] if image_ref is None else images.of(call, image_ref, row["flavor"])
    with call.svc.db.writer() as connection:
        power.begin(call, connection, id, _RULE, "rescue", "rescue")
        rows.update_where(connection, models.instances, {"rescue_image": image}, uuid=id)
    power.send(call, row, "rescue")
