"""Attachments: reserve a volume, learn how to reach it, say when it is in use, give it back.

Connecting and disconnecting are calls to the volume's host, outside any
transaction; each may be repeated. An attachment that was reserved and never
completed is given back by deleting it.
"""

from common import context, db, errors, rows, schema, wsgi
from common.vault import open_chap
from volume import access
from volume.db import extensions, volumes
from volume.db.attachments import TABLE
from volume.drivers import IO_PAUSED
from volume.handlers import filters, lists

_NAME = {"type": ["string", "null"], "maxLength": 255, "format": "line"}
# What drivers and rows use of a connector; the rest is for storage of other kinds. Names of initiators: RFC 3720, 3.2.6.
_CONNECTOR = {"type": ["object", "null"], "maxProperties": 32, "properties": {
    "host": _NAME, "mountpoint": _NAME,
    "initiator": {"type": ["string", "null"], "pattern": "([A-Za-z0-9][A-Za-z0-9.:_-]{0,222})?"}}}
_CREATE = schema.obj({"attachment": schema.obj({
    "volume_uuid": schema.UUID, "instance_uuid": {"oneOf": [schema.UUID, {"type": "null"}]},
    "connector": _CONNECTOR, "mode": {"enum": ["rw", "ro", None]}}, ["volume_uuid"])}, ["attachment"])

FILTERS = {
    **{name: filters.text(TABLE.c[name]) for name in ("id", "volume_id", "project_id", "instance_uuid", "attach_status",
                                                      "attach_mode")},
    "instance_id": filters.text(TABLE.c.instance_uuid), "status": filters.text(TABLE.c.attach_status),
    "attached_host": filters.text(TABLE.c.attached_host, trusted=True), "mountpoint": filters.text(TABLE.c.mountpoint),
}


def _view(req, row: dict, *, secrets: bool) -> dict:
    return {"id": row["id"], "volume_id": row["volume_id"], "instance": row["instance_uuid"],
            "status": row["attach_status"], "attach_mode": row["attach_mode"],
            "attached_at": db.iso(row["attached_at"], zulu=False, micro=True) or "", "detached_at": "",
            "connection_info": {**open_chap(req.svc.vault, row["connection_info"].get("data", {})),
                                "driver_volume_type": row["connection_info"].get("driver_volume_type")}
            if secrets and row["connection_info"] else {}}


def _trusted(req) -> bool:
    """Whether the caller is one whom servers' volumes are left to, and who is told how they are reached."""
    return req.svc.policy.allows(req.ctx, "volume:attachment_connection_info", {})


def index(req):
    owner = access.owner(req)
    conditions = [] if owner is None and "all_tenants" in req.GET else [TABLE.c.project_id == req.ctx.project_id]
    conditions += filters.conditions(req, FILTERS)
    with req.svc.db.reader() as connection:
        found, _ = lists.page(req, connection, TABLE, conditions,
                              lambda marker: access.attachment(req, connection, marker))
    if "detail" in req.path:
        return {"attachments": [_view(req, r, secrets=False) for r in found]}
    return {"attachments": [{"id": r["id"], "volume_id": r["volume_id"], "instance": r["instance_uuid"],
                             "status": r["attach_status"]} for r in found]}


def show(req, id):
    with req.svc.db.reader() as connection:
        row = access.attachment(req, connection, id)
    return {"attachment": _view(req, row, secrets=_trusted(req))}


@wsgi.body(_CREATE)
def create(req, body):
    given = body["attachment"]
    if "mode" in given and req.version < (3, 54):
        raise errors.BadRequest("Additional properties are not allowed ('mode' was unexpected)")
    with req.svc.db.writer() as connection:
        volume = access.volume(req, connection, given["volume_uuid"], "volume:attachment_create", shown=False)
        if volume["readonly"] and given.get("mode") == "rw":
            raise errors.BadRequest(f"Invalid volume: {volume['id']} is read-only and cannot be attached for writing.")
        volumes.move(connection, volume["id"], "reserve")
        row = {"id": context.new_uuid(), "volume_id": volume["id"], "project_id": volume["project_id"],
               "instance_uuid": given.get("instance_uuid"), "attach_status": "reserved", "mountpoint": None,
               "attached_host": None, "connector": {}, "connection_info": {},
               "attach_mode": "ro" if volume["readonly"] else given.get("mode") or "rw",
               "attached_at": None, "created_at": db.now()}
        rows.insert(connection, TABLE, row, conflict="The volume has an attachment already.")
    if given.get("connector"):
        row = _connect(req, row, volume, given["connector"])
    return {"attachment": _view(req, row, secrets=_trusted(req))}


def _connect(req, row: dict, volume: dict, connector: dict) -> dict:
    info = req.svc.agents.connect(req.ctx, volume["host"], volume["id"], row["id"], connector)
    info = {**info, "data": {**info["data"], "access_mode": row["attach_mode"]}}
    connector = {name: value for name, value in connector.items() if name != IO_PAUSED}  # true of this moment alone
    # One that is in use already is asked for anew when its guest is built anew; it stays in use.
    status = "attached" if row["attach_status"] == "attached" else "attaching"
    values = {"connector": connector, "connection_info": info, "attach_status": status,
              "attached_host": connector.get("host") or "", "mountpoint": connector.get("mountpoint")}
    req.svc.db.transact(_connected, row, values)
    return {**row, **values}


def _connected(connection, row: dict, values: dict) -> None:
    if not rows.update_where(connection, TABLE, values, id=row["id"]):
        raise errors.Conflict("The attachment was deleted while it was being connected.")
    if row["attach_status"] == "reserved":
        volumes.move(connection, row["volume_id"], "attach")


@wsgi.body(schema.obj({"attachment": schema.obj({"connector": {**_CONNECTOR, "type": "object"}}, ["connector"])},
                      ["attachment"]))
def update(req, id, body):
    """Give a connector (again): the export is made or found, and described."""
    with req.svc.db.reader() as connection:
        row = access.attachment(req, connection, id, "volume:attachment_update")
        volume = volumes.get(connection, None, row["volume_id"])
    if row["instance_uuid"] and row["attach_status"] == "attached" and not _trusted(req):
        raise errors.Conflict(f"Volume {volume['id']} is in use by instance {row['instance_uuid']}: only the Compute API may "
                              "connect it anew.", kind="ConflictNovaUsingAttachment")
    row = _connect(req, row, volume, body["attachment"]["connector"])
    return {"attachment": _view(req, row, secrets=_trusted(req))}


@wsgi.body(schema.obj({"os-complete": {"type": ["object", "null", "string"]}}, ["os-complete"]))
def complete(req, id, body):
    with req.svc.db.writer() as connection:
        row = access.attachment(req, connection, id, "volume:attachment_complete")
        volumes.move(connection, row["volume_id"], "complete")
        rows.update(connection, TABLE, id, {"attach_status": "attached", "attached_at": db.now()},
                    resource="attachment")


def delete(req, id):
    """End the export first, then forget: a volume never looks free while somebody can reach it.

    An attachment to a server that exists is ended by detaching it there; only services may do it here,
    since a volume taken from under a guest could be given to another (CVE-2023-2088).
    """
    with req.svc.db.reader() as connection:
        row = access.attachment(req, connection, id, "volume:attachment_delete")
        volume = volumes.get(connection, None, row["volume_id"])
    if row["instance_uuid"] and row["connection_info"] and not _trusted(req):
        raise errors.Conflict("Detach volume from instance "
                              f"{row['instance_uuid']} using the Compute API", kind="ConflictNovaUsingAttachment")
    if row["connection_info"]:
        req.svc.agents.disconnect(req.ctx, volume["host"], volume["id"], id)
    req.svc.db.transact(_ended, row)
    return {"attachments": []}


def _ended(connection, row: dict) -> None:
    rows.delete(connection, TABLE, row["id"], resource="attachment")
    if not extensions.detached(connection, row["volume_id"]):
        volumes.move(connection, row["volume_id"], "detach")
