"""Volumes of a server.

The row in ``block_devices`` is inserted first, so that a unique constraint catches two requests for the same volume
or device. The agent then reserves, connects and attaches the volume; if it cannot, the row is deleted. The requested
change stays in the row until it is done, so that the conductor's reconciler can send it again.
"""

import logging
import typing

from common import context, db, errors, guest_needs, rows, server_resources, server_states, wsgi
from common.calls import Call
from common.rest import path
from compute_api import access, multiattach
from conductor.db import actions, instances, models

LOG = logging.getLogger(__name__)
DEVICES = models.block_devices
_UPDATES = (2, 85)  # since when a PUT may change something else than the volume
_STEADY = (server_states.ACTIVE, server_states.STOPPED)
_UPDATE, _SWAP = "os_compute_api:os-volumes-attachments:update", "os_compute_api:os-volumes-attachments:swap"


def view(call: Call, row: dict) -> dict:
    """As answers to GET show it."""
    shown = view_of_change(call, row)
    if call.version >= (2, 89):
        del shown["id"]
        shown.update(attachment_id=row["attachment_id"], bdm_uuid=row["id"])
    return shown


def view_of_change(call: Call, row: dict) -> dict:
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
    _check_state(row, action, _STEADY)


def _check_state(row: dict, action: str, vm_states: tuple) -> None:
    if row["vm_state"] not in vm_states or row["task_state"] is not None:
        attr = "task_state" if row["task_state"] else "vm_state"
        raise errors.InvalidState(action=action, resource="instance", id=row["uuid"], attr=attr, state=row[attr])


def _changeable(row: dict, action: str) -> None:
    """As ``steady``, but volumes of a shelved server are changed too."""
    _check_state(row, action, (*_STEADY, server_states.SHELVED, server_states.SHELVED_OFFLOADED))


def create(call: Call, id: str, volume_id: str, given: dict) -> dict:
    """Begin to attach a volume; the row in ``block_devices``. :param given: the body, as the client sent it"""
    with call.svc.db.reader() as connection:
        row = access.server(call, connection, id, "os_compute_api:os-volumes-attachments:create")
        access.check_hypervisor(connection, row, guest_needs.VOLUMES)
    access.check_lock(call, row)
    _changeable(row, "attach_volume")
    volume = call.svc.rest.request("GET", "volume", path("/v3/volumes/{id}", volume_id), ctx=call.ctx)["volume"]
    multiattach.check(call, volume)
    if volume["status"] not in multiattach.usable_statuses(volume):
        raise errors.BadRequest(f"Invalid volume: volume '{volume_id}' status must be 'available'. Currently in "
                                f"'{volume['status']}'")
    if row["host"] is None:
        return _reserve(call, row, volume, given)
    device = call.svc.db.transact(_insert, call, row, volume, given)
    if volume["multiattach"]:
        _announce(call, device, lambda: multiattach.reserve(call, id, volume_id), _forget)
    call.svc.send(call.svc.agents.attach_volume, call.ctx, row["host"], id, volume_id, device["id"])
    return device


def _reserve(call: Call, row: dict, volume: dict, given: dict) -> dict:
    """A volume of a server that no host has is in use by it, but is connected only when it is unshelved."""
    if volume["multiattach"]:
        raise errors.BadRequest("Attaching multiattach volumes is not supported for shelved-offloaded instances.")
    attachment_id = server_resources.reserve_volume(call.svc.rest, row["uuid"], volume["id"])
    try:
        server_resources.complete_attachment(call.svc.rest, attachment_id)
        return call.svc.db.transact(_insert, call, row, volume, given, attachment_id)
    except Exception:  # also if the database is away
        server_resources.end_attachment(call.svc.rest, attachment_id)
        raise


def _announce(call: Call, device: dict, request: typing.Callable[[], None], undo: typing.Callable) -> None:
    """Tell the volume service what begins; if it does not respond, the server's host does it later.

    :param undo: (connection, device): called if the volume service refuses
    :raises errors.Error: the refusal
    """
    try:
        request()
    except errors.ServiceUnavailable as error:
        LOG.warning("volume %s: %s", device["volume_id"], error)
    except errors.Error as error:
        with call.svc.db.writer() as connection:
            undo(connection, device)
            actions.failed(connection, call.ctx.request_id, device["instance_uuid"], str(error))
        raise


def _forget(connection, device: dict) -> None:
    rows.delete_where(connection, DEVICES, id=device["id"])


def _keep(connection, device: dict) -> None:
    rows.update_where(connection, DEVICES, {"requested_action": None, "requested_at": None}, id=device["id"])


def _insert(connection, call: Call, row: dict, volume: dict, given: dict, attachment_id: str | None = None) -> dict:
    """:param attachment_id: of a server that no host has; None: its host attaches the volume"""
    volume_id = volume["id"]
    row = instances.get(connection, row["uuid"], access.scope(call))  # as it is now
    _changeable(row, "attach_volume")
    if (row["host"] is None) != (attachment_id is not None):
        raise errors.Conflict(f"Instance {row['uuid']} was offloaded or unshelved meanwhile. Try again.")
    requested = (None, None) if attachment_id else ("attach", db.now())
    device = {"id": context.new_uuid(), "instance_uuid": row["uuid"], "volume_id": volume_id, "attachment_id": attachment_id,
              "exclusive_volume_id": None if volume["multiattach"] else volume_id,
              "device_name": instances.next_device(connection, row, given.get("device")), "boot_index": None,
              "delete_on_termination": wsgi.bool_value(given.get("delete_on_termination", False)), "tag": given.get("tag"),
              **dict(zip(("requested_action", "requested_at"), requested)), "request_id": call.ctx.request_id}
    # A row that only waits for the volume service to confirm a detachment is obsolete once the attachment has ended.
    rows.delete_where(connection, DEVICES, DEVICES.c.attachment_id.not_in([a["attachment_id"] for a in volume["attachments"]]),
                      volume_id=volume_id, requested_action="detach")
    if volume["multiattach"] and rows.exists(connection, DEVICES, volume_id=volume_id, instance_uuid=row["uuid"]):
        raise errors.BadRequest(f"Invalid volume: volume {volume_id} already attached")
    rows.insert(connection, DEVICES, device, conflict=f"Volume {volume_id} is being attached to a server already.")
    actions.start(connection, call.ctx, row["uuid"], "attach_volume")
    return device


def update(call: Call, id: str, volume_id: str, given: dict) -> None:
    """Change delete_on_termination, or swap the volume for another, which volume migrations do: there are none here.

    :raises BadRequest: another member of the body differs from the current value
    :raises Conflict: the volume does not migrate
    """
    only_swap = call.version < _UPDATES
    swap = only_swap or given["volumeId"] != volume_id
    with call.svc.db.writer() as connection:
        row = access.server(call, connection, id, _SWAP if swap else _UPDATE)
        device = _find(row, volume_id)
        if not only_swap:
            shown = view_of_change(call, device)
            for name in ("id", "serverId", "device", "tag"):
                if name in given and given[name] != shown[name]:
                    raise errors.BadRequest(f"The {name} property is not mutable")
        if swap:
            raise errors.Conflict(f"volume {volume_id} is not migrating; this API should only be called by Cinder")
        if "delete_on_termination" in given:
            values = {"delete_on_termination": wsgi.bool_value(given["delete_on_termination"])}
            rows.update_where(connection, DEVICES, values, id=device["id"])


def delete(call: Call, id: str, volume_id: str) -> None:
    with call.svc.db.writer() as connection:
        row = access.server(call, connection, id, "os_compute_api:os-volumes-attachments:delete")
        access.check_lock(call, row)
        device = _find(row, volume_id)
        _changeable(row, "detach_volume")
        if device["boot_index"] == 0:
            raise errors.Forbidden("Can't detach root device volume")
        if device["attachment_id"] is None:
            raise errors.Conflict(f"Volume {volume_id} is still being attached.")
        actions.start(connection, call.ctx, id, "detach_volume")
        if row["host"] is None:
            rows.delete_where(connection, DEVICES, id=device["id"])
        else:
            values = {"requested_action": "detach", "requested_at": db.now(), "request_id": call.ctx.request_id}
            rows.update_where(connection, DEVICES, values, id=device["id"])
    if row["host"] is None:
        return _release(call, device)
    if device["exclusive_volume_id"] is None and device["requested_action"] != "detach":
        _announce(call, device, lambda: multiattach.begin_detaching(call, volume_id), _keep)
    call.svc.send(call.svc.agents.detach_volume, call.ctx, row["host"], id, volume_id, device["id"])


def _release(call: Call, device: dict) -> None:
    """End the reservation of a volume that a server without a host has had. If that fails, the server has it again.

    :raises errors.Error: it failed; the request may be repeated
    """
    try:
        server_resources.end_attachment(call.svc.rest, device["attachment_id"])
    except errors.Error as error:
        call.svc.db.transact(_give_back, call, device, str(error))
        raise


def _give_back(connection, call: Call, device: dict, reason: str) -> None:
    """Nothing, if the server was deleted meanwhile."""
    if instances.find(connection, device["instance_uuid"]) is not None:
        rows.insert(connection, DEVICES, device, conflict=f"Volume {device['volume_id']} is attached to another server by now.")
        actions.failed(connection, call.ctx.request_id, device["instance_uuid"], reason)
