"""Volumes of a server.

The row in ``block_devices`` is made first, so that two requests for one
volume or one device meet at a unique constraint; the agent then reserves,
connects and plugs, and the row goes again if it cannot. What was asked for
stays in the row until it is done: the conductor's sweep asks again.
"""

from common import context, db, errors, rows, schema, server_states, wsgi
from common.rest import path
from compute_api import access, microversions
from conductor.db import actions, instances, models

DEVICES = models.block_devices
_BODY = schema.obj({"volumeAttachment": schema.obj({
    "volumeId": schema.UUID, "device": {"type": ["string", "null"], "pattern": instances.DEVICE_NAME, "maxLength": 255},
    "tag": {"type": "string", "minLength": 1, "maxLength": 60, "pattern": "[^,/]*"},
    "delete_on_termination": schema.BOOLEAN}, ["volumeId"])}, ["volumeAttachment"])
_UPDATE, _SWAP = "os_compute_api:os-volumes-attachments:update", "os_compute_api:os-volumes-attachments:swap"
_SINCE = {"tag": (2, 49), "delete_on_termination": (2, 79)}


def _view(req, row: dict) -> dict:
    shown = {"id": row["volume_id"], "volumeId": row["volume_id"], "serverId": row["instance_uuid"],
             "device": row["device_name"]}
    later = {"tag": (2, 70), "delete_on_termination": (2, 79)}
    return {**shown, **{name: row[name] for name, since in later.items() if req.version >= since}}


def index(req, id):
    microversions.check_query(req, ("limit", "offset"))
    with req.svc.db.reader() as connection:
        row = access.server(req, connection, id, "os_compute_api:os-volumes-attachments:index")
    limit, offset = wsgi.int_param(req, "limit", 1000), wsgi.int_param(req, "offset", 0)
    return {"volumeAttachments": [_view(req, d) for d in row["block_devices"]][offset:offset + limit]}


def _find(row: dict, volume_id: str) -> dict:
    for device in row["block_devices"]:
        if device["volume_id"] == volume_id:
            return device
    raise errors.NotFound(f"volume_id not found: {volume_id}")


def show(req, id, volume_id):
    with req.svc.db.reader() as connection:
        row = access.server(req, connection, id, "os_compute_api:os-volumes-attachments:show")
        return {"volumeAttachment": _view(req, _find(row, volume_id))}


def _steady(row: dict, action: str) -> None:
    """Attaching and detaching need a guest that is built and idle."""
    if row["vm_state"] not in (server_states.ACTIVE, server_states.STOPPED) or row["task_state"] is not None:
        attr = "task_state" if row["task_state"] else "vm_state"
        raise errors.InvalidState(action=action, resource="instance", id=row["uuid"], attr=attr, state=row[attr])


@wsgi.body(_BODY)
def create(req, id, body):
    given = body["volumeAttachment"]
    volume_id = given["volumeId"]
    microversions.check_names(req, given, _SINCE)
    with req.svc.db.reader() as connection:
        row = access.server(req, connection, id, "os_compute_api:os-volumes-attachments:create")
    access.check_lock(req, row)
    _steady(row, "attach_volume")
    volume = req.svc.rest.request("GET", "volume", path("/v3/volumes/{id}", volume_id), ctx=req.ctx)["volume"]
    if volume["status"] != "available":
        raise errors.BadRequest(f"Invalid volume: volume '{volume_id}' status must be 'available'. Currently in "
                                f"'{volume['status']}'")
    device = req.svc.db.transact(_insert, req, row, given)
    req.svc.send(req.svc.agents.attach_volume, req.ctx, row["host"], id, volume_id)
    return {"volumeAttachment": _view(req, device)}


def _insert(connection, req, row, given: dict) -> dict:
    volume_id = given["volumeId"]
    _steady(instances.get(connection, row["uuid"], access.scope(req)), "attach_volume")  # as it is by now
    device = {"id": context.new_uuid(), "instance_uuid": row["uuid"], "volume_id": volume_id, "attachment_id": None,
              "device_name": instances.next_device(connection, row["uuid"], given.get("device")), "boot_index": None,
              "delete_on_termination": wsgi.bool_value(given.get("delete_on_termination", False)), "tag": given.get("tag"),
              "wish": "attach", "wished_at": db.now(), "request_id": req.ctx.request_id}
    # The volume is available: a row that still waits to be told of its detachment is done with.
    rows.delete_where(connection, DEVICES, volume_id=volume_id, wish="detach")
    rows.insert(connection, DEVICES, device, conflict=f"Volume {volume_id} is being attached to a server already.")
    actions.start(connection, req.ctx, row["uuid"], "attach_volume")
    return device


@wsgi.body(schema.obj({"volumeAttachment": schema.obj({
    "volumeId": schema.UUID, "delete_on_termination": schema.BOOLEAN, "id": schema.TEXT, "serverId": schema.TEXT,
    "device": schema.TEXT, "tag": schema.TEXT}, ["volumeId"])}, ["volumeAttachment"]))
def update(req, id, volume_id, body):
    """Whether the volume goes with the server; the other members may be sent, but must say what is."""
    given = body["volumeAttachment"]
    other = given["volumeId"] != volume_id
    with req.svc.db.writer() as connection:
        row = access.server(req, connection, id, _SWAP if other else _UPDATE)
        device = _find(row, volume_id)
        if other:
            raise errors.BadRequest("A server's volume cannot be exchanged for another: detach it, then attach the other.")
        if any(given[name] != value for name, value in _view(req, device).items()
               if name in given and name != "delete_on_termination"):
            raise errors.BadRequest("Only delete_on_termination can be changed.")
        if "delete_on_termination" in given:
            values = {"delete_on_termination": wsgi.bool_value(given["delete_on_termination"])}
            rows.update_where(connection, DEVICES, values, id=device["id"])
    return wsgi.Response(status=202)


def delete(req, id, volume_id):
    with req.svc.db.writer() as connection:
        row = access.server(req, connection, id, "os_compute_api:os-volumes-attachments:delete")
        access.check_lock(req, row)
        device = _find(row, volume_id)
        _steady(row, "detach_volume")
        if device["boot_index"] == 0:
            raise errors.Forbidden("Can't detach root device volume")
        if device["attachment_id"] is None:
            raise errors.Conflict(f"Volume {volume_id} is still being attached.")
        actions.start(connection, req.ctx, id, "detach_volume")
        values = {"wish": "detach", "wished_at": db.now(), "request_id": req.ctx.request_id}
        rows.update_where(connection, DEVICES, values, id=device["id"])
    req.svc.send(req.svc.agents.detach_volume, req.ctx, row["host"], id, volume_id)
