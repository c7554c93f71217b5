"""Actions on a volume. Each function takes the arguments that the client sent."""

import logging

from common import db, errors, rows, wsgi
from common.calls import Call
from volume import access
from volume.db import extensions, reimages, volumes
from volume.services import uploads
from volume.services.volumes import begin_delete, metadata_of_written

LOG = logging.getLogger(__name__)


def reset_status(call: Call, id: str, arguments: dict) -> None:
    with call.svc.db.writer() as connection:
        row = access.volume(call, connection, id, "volume_extension:volume_admin_actions:reset_status", shown=False)
        if "status" in arguments:
            rows.update(connection, volumes.TABLE, id, {
                "status": arguments["status"], "extending_to": None, "updated_at": db.now()}, resource="volume")
    if "status" in arguments:
        uploads.abandon(call, row)


def force_delete(call: Call, id: str, arguments: dict) -> None:
    with call.svc.db.writer() as connection:
        row = access.volume(call, connection, id, "volume_extension:volume_admin_actions:force_delete", "volume:delete")
        begin_delete(connection, row, force=True)
    uploads.abandon(call, row)
    if row["host"]:
        call.svc.send(call.svc.agents.delete_volume, call.ctx, row["host"], id)


def extend(call: Call, id: str, arguments: dict) -> None:
    size = int(arguments["new_size"])
    with call.svc.db.writer() as connection:
        row = access.volume(call, connection, id)
        attached = row["status"] == "in-use" and call.version >= (3, 42)
        access.check(call, row, "volume:extend_attached_volume" if attached else "volume:extend")
        if size <= row["size"]:
            raise errors.BadRequest(f"Invalid input received: New size for extend must be greater than current size. "
                                    f"(current: {row['size']}, extended: {size}).")
        if attached and len({each["instance_uuid"] for each in row["attachments"]}) > 1:
            # Its target is reopened while its server does no I/O, and the others would go on.
            raise errors.BadRequest("Invalid volume: A volume that several servers use cannot be extended.")
        extensions.begin(connection, call.svc.conf, row, size, attached=attached, request_id=call.ctx.trace_id)
    call.svc.send(call.svc.agents.extend_volume, call.ctx, row["host"], id, size)


def extend_completion(call: Call, id: str, arguments: dict) -> None:
    """The result from the compute service: the guest sees the new size, or cannot (``error``).

    ``new_size`` says which size is meant (GiB), as an answer may be about an extension before; our agents send it, Nova does not.
    """
    with call.svc.db.writer() as connection:
        row = access.volume(call, connection, id, "volume_extension:volume_admin_actions:extend_volume_completion")
        if row["status"] != "extending":
            raise errors.BadRequest("Invalid volume: Volume is not being extended.")
        if row["extending_to"] is not None:
            raise errors.BadRequest("Invalid volume: The backend has not extended the volume yet.")
        if "new_size" in arguments and int(arguments["new_size"]) < row["size"]:
            raise errors.BadRequest("Invalid volume: The volume has been extended further since.")
        failed = wsgi.bool_value(arguments.get("error") or False)
        extensions.settle(connection, id, fault="The server does not see the new size yet." if failed else None)
    LOG.info("volume %s now has %d GiB%s", id, row["size"], "; the server does not see the new size yet" if failed else "")


def reimage(call: Call, id: str, arguments: dict) -> None:
    """Begin to write an image over what a volume has. With ``reimage_reserved`` also if it is reserved for a server.

    :raises Conflict: it has more than one attachment
    :raises BadRequest: its status, what is done with it now, or the image does not allow it
    """
    reserved = wsgi.bool_value(arguments.get("reimage_reserved") or False)
    with call.svc.db.reader() as connection:
        row = access.volume(call, connection, id)
        access.check(call, row, _rule_to_reimage(row, reserved))
    image = metadata_of_written(call, arguments["image_id"], row["size"])
    with call.svc.db.writer() as connection:
        row = access.volume(call, connection, id)
        access.check(call, row, _rule_to_reimage(row, reserved))
        reimages.begin(connection, row, image, reserved=reserved, request_id=call.ctx.trace_id)
    call.svc.send(call.svc.agents.reimage_volume, call.ctx, row["host"], id)


def _rule_to_reimage(row: dict, reserved: bool) -> str:
    """A volume on which a server's image could not be written is in error, but still reserved for that server."""
    held = row["status"] == "reserved" or reserved and row["status"] == "error" and row["attachments"]
    return "volume:reimage_reserved" if held else "volume:reimage"


def set_bootable(call: Call, id: str, arguments: dict) -> None:
    with call.svc.db.writer() as connection:
        access.volume(call, connection, id, "volume:update")
        rows.update(connection, volumes.TABLE, id, {"bootable": wsgi.bool_value(arguments["bootable"])},
                    resource="volume")


def readonly(call: Call, id: str, arguments: dict) -> None:
    """Make the volume read-only, or writable again, for attachments created afterwards."""
    with call.svc.db.writer() as connection:
        row = access.volume(call, connection, id, "volume:update_readonly_flag")
        if row["status"] != "available":
            raise errors.BadRequest(f"Invalid volume: Volume {id} status must be available to update readonly flag, but "
                                    f"current status is: {row['status']}.")
        rows.update(connection, volumes.TABLE, id, {"readonly": wsgi.bool_value(arguments["readonly"])}, resource="volume")


def metadata_of_image(edit, *rules: str, shown: bool = False):
    """:param edit: (current image metadata, the action's arguments) -> new image metadata"""
    def edit_metadata(call: Call, id: str, arguments: dict) -> dict:
        with call.svc.db.writer() as connection:
            row = access.volume(call, connection, id, *rules, shown=shown)
            changed = edit(row["image_metadata"], arguments)
            if changed != row["image_metadata"]:
                rows.update(connection, volumes.TABLE, id, {"image_metadata": changed}, resource="volume")
        return changed
    return edit_metadata


def move(action: str, rule: str):
    """The actions with which clients used to announce an attachment or detachment: they only change the status."""
    def act(call: Call, id: str, arguments: dict) -> None:
        with call.svc.db.writer() as connection:
            row = access.volume(call, connection, id, f"volume_extension:volume_actions:{rule}")
            if action == "unhold":
                if row["attachments"]:
                    raise errors.BadRequest("Invalid volume: The volume is reserved for an attachment.")
                if row["status"] not in volumes.ACTIONS["unhold"][0]:
                    return  # as in Cinder: os-terminate_connection has ended the reservation
            volumes.move(connection, id, action)
    return act
