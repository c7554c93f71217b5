"""Rescue: the guest boots from another image with its own disk attached, so that its owner can repair the disk."""

from common import errors, guest_hardware, rows
from common import rescue as disks
from common.calls import Call
from compute_api import access, images, virtual_tpm
from compute_api.services import power
from conductor.db import models, secrets

_RULE = "os_compute_api:os-rescue"
OF_VOLUMES = (2, 87)  # since when servers that boot from a volume are rescued, by an image that says where its disk belongs


def rescue(call: Call, id: str, image_ref: str | None, password: str) -> None:
    """
    :param image_ref: the image to run from; None: the image that the server was created from
    :param password: for the config drive, or to be injected
    """
    with call.svc.db.reader() as connection:
        row = access.server(call, connection, id, _RULE)
    virtual_tpm.refuse(row, "rescue")
    image = row["image_meta"] if image_ref is None else images.of(call, image_ref, row["flavor"])
    properties = image.get("properties", {})
    if "block_device_mapping" in properties:  # of a server that booted from a volume: it has no data of its own
        raise errors.BadRequest(f"Requested rescue image '{image_ref}' is not supported")
    if not row["image_meta"] and not (call.version >= OF_VOLUMES and properties.get(disks.DEVICE) and properties.get(disks.BUS)):
        raise errors.BadRequest(f"Instance {id} cannot be rescued: Cannot rescue a volume-backed instance")
    _check_disk(row, image)
    with call.svc.db.writer() as connection:
        power.begin(call, connection, id, _RULE, "rescue", "rescue")
        rows.update_where(connection, models.instances, {"rescue_image": image}, uuid=id)
        if secrets.are_injected(call.svc.conf, row):
            secrets.put_password(connection, call.svc.vault, [id], password)
    power.send(call, row, "rescue")


def _check_disk(row: dict, image: dict) -> None:
    """:raises BadRequest: the server's machine cannot have the disk that the image asks for, or not boot from it"""
    try:
        added = disks.added(image)
    except ValueError as error:
        raise errors.BadRequest(f"Instance {row['uuid']} cannot be rescued: {error}") from None
    if added and image.get("kernel") and not image["properties"].get("os_command_line"):
        raise errors.BadRequest(f"Instance {row['uuid']} cannot be rescued: the image has a kernel, and no os_command_line that "
                                "says which disk is its root")
    if added and added.bus == "ide" and guest_hardware.of_server(row).is_q35:
        raise errors.BadRequest(f"Instance {row['uuid']} cannot be rescued: its machine type has no IDE bus")
