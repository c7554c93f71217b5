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
    image = row["image_meta"] if image_ref is None else images.of(call, image_ref, row["flavor"])
    if not row["image_meta"]:
        # Since 2.87 images say where their disk belongs; the drivers here do not attach it beside a root volume.
        named = call.version >= (2, 87) and {"hw_rescue_bus", "hw_rescue_device"} & set(image.get("properties", {}))
        raise errors.BadRequest(f"Instance {id} cannot be rescued: " + (
            "Host unable to rescue a volume-backed instance" if named else "Cannot rescue a volume-backed instance"))
    with call.svc.db.writer() as connection:
        power.begin(call, connection, id, _RULE, "rescue", "rescue")
        rows.update_where(connection, models.instances, {"rescue_image": image}, uuid=id)
    power.send(call, row, "rescue")
