"""Attachments: reserve a volume, connect it to a host, mark it as in use, disconnect it.

Connecting and disconnecting are calls to the volume's host, made outside of transactions; each may be repeated. To
cancel a reservation, delete the attachment.
"""

from common import db, errors, rows
from common.calls import Call
from common.rest import path
from volume import access
from volume.db import attachments, volumes
from volume.db.attachments import TABLE
from volume.db.models import ATTACHED, CONNECTED
from volume.drivers import IO_PAUSED
from volume.services import filters, lists

FILTERS = {
    **{name: filters.text(TABLE.c[name]) for name in ("id", "volume_id", "project_id", "instance_uuid", "attach_status",
                                                      "attach_mode")},
    "instance_id": filters.text(TABLE.c.instance_uuid), "status": filters.text(TABLE.c.attach_status),
    "attached_host": filters.text(TABLE.c.attached_host, trusted=True), "mountpoint": filters.text(TABLE.c.mountpoint),
}


def trusted(call: Call) -> bool:
    """Whether the caller may see connection info, and delete attachments that servers use: a service of this cloud."""
    return call.ctx.by_service or call.svc.policy.allows(call.ctx, "volume:attachment_connection_info", {})


def check_unused(call: Call, row: dict) -> None:
    """A volume that is taken away while a guest uses it could become accessible to another project (CVE-2023-2088): only
    services may do that.

    :raises Conflict: a server uses the volume by this attachment
    """
    if row["instance_uuid"] and row["connection_info"] and not call.ctx.is_service and not call.ctx.by_service and not (
            call.svc.policy.is_admin(call.ctx) and _is_left(call, row)):
        raise errors.Conflict(f"Detach volume from instance {row['instance_uuid']} using the Compute API",
                              kind="ConflictNovaUsingAttachment")


def _is_left(call: Call, row: dict) -> bool:
    """Whether the server is gone or has not got the volume. To be asked as an administrator, who sees every server."""
    try:
        call.svc.rest.request("GET", "compute", path("/v2.1/servers/{id}/os-volume_attachments/{id}", row["instance_uuid"],
                                                     row["volume_id"]), ctx=call.ctx)
    except errors.NotFound:
        return True
    return False


def page(call: Call, query: lists.Query) -> list[dict]:
    owner = access.owner(call)
    conditions = [] if owner is None and "all_tenants" in query else [TABLE.c.project_id == call.ctx.project_id]
    conditions += filters.conditions(call, query, FILTERS)
    with call.svc.db.reader() as connection:
        return lists.page(connection, query, TABLE, conditions, lambda marker: access.attachment(call, connection, marker))[0]


def show(call: Call, id: str) -> dict:
    with call.svc.db.reader() as connection:
        return access.attachment(call, connection, id)


def create(call: Call, given: dict) -> dict:
    """Reserve a volume, and connect it if the body has a connector."""
    with call.svc.db.writer() as connection:
        volume = access.volume(call, connection, given["volume_uuid"], "volume:attachment_create", shown=False)
        if volume["readonly"] and given.get("mode") == "rw":
            raise errors.BadRequest(f"Invalid volume: {volume['id']} is read-only and cannot be attached for writing.")
        if volume["multiattach"] and volume["status"] == "in-use" and volume["bootable"]:
            access.check(call, volume, "volume:multiattach_bootable_volume")
        attachments.reserve(connection, volume, given.get("instance_uuid"), connected=bool(given.get("connector")))
        mode = {"attach_mode": given["mode"]} if given.get("mode") else {}
        row = rows.insert(connection, TABLE, attachments.new(volume, instance_uuid=given.get("instance_uuid"), **mode))
    if given.get("connector"):
        row = connect(call, row, volume, given["connector"])
    return row


def connect(call: Call, row: dict, volume: dict, connector: dict) -> dict:
    """Export a volume for an attachment; returns the row with its connection info."""
    info = call.svc.agents.connect(call.ctx, volume["host"], volume["id"], row["id"], connector)
    shared = {"multiattach": True} if volume["multiattach"] else {}
    info = {**info, "data": {**info["data"], "access_mode": row["attach_mode"], **shared}}
    connector = {name: value for name, value in connector.items() if name != IO_PAUSED}  # IO_PAUSED is only true for this request
    # An attachment in use is connected again when its guest is recreated; its status stays the same.
    status = row["attach_status"] if row["attach_status"] in (ATTACHED, CONNECTED) else "attaching"
    values = {"connector": connector, "connection_info": info, "attach_status": status,
              "attached_host": connector.get("host") or "", "mountpoint": connector.get("mountpoint")}
    try:
        call.svc.db.transact(_connected, row, values)
    except errors.Conflict:  # whoever deleted it ended the export before this one existed
        call.svc.agents.disconnect(call.ctx, volume["host"], volume["id"], row["id"])
        raise
    return {**row, **values}


def _connected(connection, row: dict, values: dict) -> None:
    if not rows.update_where(connection, TABLE, values, id=row["id"]):
        raise errors.Conflict("The attachment was deleted while it was being connected.")
    if row["attach_status"] == "reserved":
        attachments.connected(connection, row)


def update(call: Call, id: str, connector: dict) -> dict:
    """Connect with a connector (again): the export is created, or found if it exists; returns the row with its
    connection info."""
    with call.svc.db.reader() as connection:
        row = access.attachment(call, connection, id, "volume:attachment_update")
        volume = volumes.get(connection, None, row["volume_id"])
    if row["instance_uuid"] and row["attach_status"] == ATTACHED and not trusted(call):
        raise errors.Conflict(f"Volume {volume['id']} is in use by instance {row['instance_uuid']}: only the Compute API may "
                              "connect it anew.", kind="ConflictNovaUsingAttachment")
    return connect(call, row, volume, connector)


def complete(call: Call, id: str) -> None:
    with call.svc.db.writer() as connection:
        row = access.attachment(call, connection, id, "volume:attachment_complete")
        attachments.completed(connection, row, {"attached_at": db.now()})
    changed(call, row)


def delete(call: Call, id: str) -> None:
    """End the export, then delete the row, so that a volume that appears available cannot be accessed by a former
    user.

    An attachment to a server that exists is ended by detaching it there. Only services and administrators may delete it here.
    """
    with call.svc.db.reader() as connection:
        row = access.attachment(call, connection, id, "volume:attachment_delete")
        volume = volumes.get(connection, None, row["volume_id"])
    if not trusted(call):
        check_unused(call, row)
    end(call, row, volume["host"])


def end(call: Call, row: dict, host: str | None) -> None:
    """End an attachment.

    :param host: of its volume
    :raises NotFound: another request has ended it
    """
    if row["connection_info"] or row["attach_status"] == CONNECTED:
        call.svc.agents.disconnect(call.ctx, host, row["volume_id"], row["id"])
    call.svc.db.transact(attachments.ended, row)
    changed(call, row)


def changed(call: Call, row: dict) -> None:
    """Tell those who watch the volume's project; the caller may be the compute service."""
    call.svc.notifier.changed(call.ctx, "volume", {"project_id": row["project_id"]})
