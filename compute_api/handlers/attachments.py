"""Volumes of a server.

The row in ``block_devices`` is made first, so that two requests for one
volume or one device meet at a unique constraint; the agent then reserves,
connects and plugs, and the row goes again if it cannot. What was asked for
stays in the row until it is done: the conductor's sweep asks again.
"""

import sqlalchemy as sa

from common import context, db, errors, rows, schema, wsgi
from compute_api.handlers.servers import load, locked_out
from conductor.db import actions, instances, machine, models

DEVICES = models.block_devices
_BODY = schema.obj({"volumeAttachment": schema.obj({
    "volumeId": schema.UUID, "device": {"type": ["string", "null"], "maxLength": 255},
    "tag": {"type": "string", "maxLength": 60}}, ["volumeId"])}, ["volumeAttachment"])


def _view(row: dict) -> dict:
    return {"id": row["volume_id"], "volumeId": row["volume_id"], "serverId": row["instance_uuid"],
            "device": row["device_name"]}


def index(req, id):
    with req.svc.db.reader() as connection:
        row = load(req, connection, id, "servers:show")
    limit, offset = wsgi.int_param(req, "limit", 1000), wsgi.int_param(req, "offset", 0)
    return {"volumeAttachments": [_view(d) for d in row["block_devices"]][offset:offset + limit]}


def _find(row: dict, volume_id: str) -> dict:
    for device in row["block_devices"]:
        if device["volume_id"] == volume_id:
            return device
    raise errors.NotFound(f"volume_id not found: {volume_id}")


def show(req, id, volume_id):
    with req.svc.db.reader() as connection:
        return {"volumeAttachment": _view(_find(load(req, connection, id, "servers:show"), volume_id))}


def _steady(row: dict, action: str) -> None:
    """Attaching and detaching need a guest that is built and idle."""
    if row["vm_state"] not in (machine.ACTIVE, machine.STOPPED) or row["task_state"] is not None:
        attr = "task_state" if row["task_state"] else "vm_state"
        raise errors.InvalidState(action=action, resource="instance", id=row["uuid"], attr=attr, state=row[attr])


@wsgi.body(_BODY)
def create(req, id, body):
    volume_id = body["volumeAttachment"]["volumeId"]
    with req.svc.db.reader() as connection:
        row = load(req, connection, id, "volumes_attachments")
    locked_out(req, row)
    _steady(row, "attach_volume")
    volume = req.svc.rest.request("GET", "volume", f"/v3/volumes/{volume_id}", ctx=req.ctx)["volume"]
    if volume["status"] != "available":
        raise errors.BadRequest(f"Invalid volume: volume '{volume_id}' status must be 'available'. Currently in "
                                f"'{volume['status']}'")
    device = req.svc.db.transact(_insert, req, row, volume_id, body["volumeAttachment"].get("tag"))
    req.svc.send(req.svc.agents.attach_volume, req.ctx, row["host"], id, volume_id)
    return {"volumeAttachment": _view(device)}


def _insert(connection, req, row, volume_id, tag) -> dict:
    device = {"id": context.new_uuid(), "instance_uuid": row["uuid"], "volume_id": volume_id, "attachment_id": None,
              "device_name": instances.next_device(connection, row["uuid"]), "boot_index": None,
              "delete_on_termination": False, "tag": tag,
              "wish": "attach", "wished_at": db.now(), "request_id": req.ctx.request_id}
    # The volume is available: a row that still waits to be told of its detachment is done with.
    connection.execute(sa.delete(DEVICES).where(DEVICES.c.volume_id == volume_id, DEVICES.c.wish == "detach"))
    rows.insert(connection, DEVICES, device, conflict=f"Volume {volume_id} is being attached to a server already.")
    actions.start(connection, req.ctx, row["uuid"], "attach_volume")
    return device


def delete(req, id, volume_id):
    with req.svc.db.writer() as connection:
        row = load(req, connection, id, "volumes_attachments")
        locked_out(req, row)
        device = _find(row, volume_id)
        _steady(row, "detach_volume")
        if device["boot_index"] == 0:
            raise errors.Forbidden("Can't detach root device volume")
        if device["attachment_id"] is None:
            raise errors.Conflict(f"Volume {volume_id} is still being attached.")
        actions.start(connection, req.ctx, id, "detach_volume")
        connection.execute(sa.update(DEVICES).where(DEVICES.c.id == device["id"]).values(
            wish="detach", wished_at=db.now(), request_id=req.ctx.request_id))
    req.svc.send(req.svc.agents.detach_volume, req.ctx, row["host"], id, volume_id)
