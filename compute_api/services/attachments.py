"""Volumes of a server.

The row in ``block_devices`` is inserted first, so that a unique constraint catches two requests for the same volume
or device. The agent then reserves, connects and attaches the volume; if it cannot, the row is deleted. The requested
change stays in the row until it is done, so that the conductor's reconciler can send it again.
"""

from common import context, db, errors, rows, server_states, wsgi
from common.calls import Call
from common.rest import path
from compute_api import access
from conductor.db import actions, instances, models

DEVICES = models.block_devices
_UPDATE, _SWAP = "os_compute_api:os-volumes-attachments:update", "os_compute_api:os-volumes-attachments:swap"


def view(call: Call, row: dict) -> dict:
    shown = {"id": row["volume_id"], "volumeId": row["volume_id"], "serverId": row["instance_uuid"],
             "device": row["device_name"]}
    later = {"tag": (2, 70), "delete_on_termination": (2, 79)}
    return {**shown, **{name: row[name] for name, since in later.items() if call.version >= since}}


def _find(row: dict, volume_id: str) -> dict:
    for device in row["block_devices"]:
        if device["volume_id"] == volume_id:
            return device
    raise errors.NotFound(f"volume_id not found: {volume_id}")


def show(call: Call, id: str, volume_id: str):
    with call.svc.db.reader() as connection:
        row = access.server(call, connection, id, "os_compute_api:os-volumes-attachments:show")
        return _find(row, volume_id)


def steady(row: dict, action: str) -> None:
    """Volumes can be attached and detached only if the guest has been built and no task is in progress."""
    if row["vm_state"] not in (server_states.ACTIVE, server_states.STOPPED) or row["task_state"] is not None:
        attr = "task_state" if row["task_state"] else "vm_state"
        raise errors.InvalidState(action=action, resource="instance", id=row["uuid"], attr=attr, state=row[attr])


def create(call: Call, id: str, volume_id: str, given: dict) -> dict:
    """Begin to attach a volume; the row in ``block_devices``. :param given: the body, as the client sent it"""
    with call.svc.db.reader() as connection:
        row = access.server(call, connection, id, "os_compute_api:os-volumes-attachments:create")
    access.check_lock(call, row)
    steady(row, "attach_volume")
    volume = call.svc.rest.request("GET", "volume", path("/v3/volumes/{id}", volume_id), ctx=call.ctx)["volume"]
    if volume["status"] != "available":
        raise errors.BadRequest(f"Invalid volume: volume '{volume_id}' status must be 'available'. Currently in "
                                f"'{volume['status']}'")
    device = call.svc.db.transact(_insert, call, row, given)
    call.svc.send(call.svc.agents.attach_volume, call.ctx, row["host"], id, volume_id, device["id"])
    return device


def _insert(connection, call: Call, row: dict, given: dict) -> dict:
    volume_id = given["volumeId"]
    row = instances.get(connection, row["uuid"], access.scope(call))  # as it is now
    steady(row, "attach_volume")
    device = {"id": context.new_uuid(), "instance_uuid": row["uuid"], "volume_id": volume_id, "attachment_id": None,
              "device_name": instances.next_device(connection, row, given.get("device")), "boot_index": None,
              "delete_on_termination": wsgi.bool_value(given.get("delete_on_termination", False)), "tag": given.get("tag"),
              "wish": "attach", "wished_at": db.now(), "request_id": call.ctx.request_id}
    # The volume is available, so a row that only waits for the volume service to confirm a detachment is obsolete.
    rows.delete_where(connection, DEVICES, volume_id=volume_id, wish="detach")
    rows.insert(connection, DEVICES, device, conflict=f"Volume {volume_id} is being attached to a server already.")
    actions.start(connection, call.ctx, row["uuid"], "attach_volume")
    return device


def update(call: Call, id: str, volume_id: str, given: dict) -> None:
    """Change delete_on_termination. The other members of the body must equal the current values."""
    other = given["volumeId"] != volume_id
    with call.svc.db.writer() as connection:
        row = access.server(call, connection, id, _SWAP if other else _UPDATE)
        device = _find(row, volume_id)
        if other:
            raise errors.BadRequest("The volume of an attachment cannot be replaced: detach it, then attach the other volume.")
        if any(given[name] != value for name, value in view(call, device).items()
               if name in given and name != "delete_on_termination"):
            raise errors.BadRequest("Only delete_on_termination can be changed.")
        if "delete_on_termination" in given:
            values = {"delete_on_termination": wsgi.bool_value(given["delete_on_termination"])}
            rows.update_where(connection, DEVICES, values, id=device["id"])


def delete(call: Call, id: str, volume_id: str) -> None:
    with call.svc.db.writer() as connection:
        row = access.server(call, connection, id, "os_compute_api:os-volumes-attachments:delete")
        access.check_lock(call, row)
        device = _find(row, volume_id)
        steady(row, "detach_volume")
        if device["boot_index"] == 0:
            raise errors.Forbidden("Can't detach root device volume")
        if device["attachment_id"] is None:
            raise errors.Conflict(f"Volume {volume_id} is still being attached.")
        actions.start(connection, call.ctx, id, "detach_volume")
        values = {"wish": "detach", "wished_at": db.now(), "request_id": call.ctx.request_id}
        rows.update_where(connection, DEVICES, values, id=device["id"])
    call.svc.send(call.svc.agents.detach_volume, call.ctx, row["host"], id, volume_id, device["id"])
