"""Shelved servers: how they are shelved, offloaded from their hosts and unshelved.

Those that begin something change the server's state, add the operation that ``conductor.operations`` runs, in one transaction,
and return the operation's id. They raise InvalidState if the server's state does not allow it.
"""

import datetime

import sqlalchemy as sa

from common import db, errors, rows
from common.server_states import ACTIVE, SHELVED, SHELVED_OFFLOADED
from conductor.db import actions, instances, machine, models, operations

TABLE = models.instances
SHELVE, OFFLOAD, UNSHELVE, START, DROP_IMAGE, DELETE = (
    "shelve", "shelve_offload", "unshelve", "start_shelved", "drop_shelved_image", "delete_offloaded")


def _begin(connection, ctx, row: dict, action: str, kind: str, **data) -> str:
    machine.begin(connection, row["uuid"], action, request_id=ctx.request_id)
    if row["host"] is None and row["vm_state"] != SHELVED_OFFLOADED:
        raise errors.Conflict(f"Instance {row['uuid']} has no host: it was never built.")
    states = instances.states_of(connection, row["uuid"])
    assert states is not None  # locked by this transaction
    return operations.begin(connection, ctx, kind, row["uuid"], states["attempt"], {
        "action": action, "host": row["host"], "vm_state": row["vm_state"], **data})


def shelve(connection, ctx, row: dict, image_id: str | None) -> str:
    """Begin to shelve a server.

    :param row: as this transaction has read it
    :param image_id: that its disk is stored in; None: it boots from a volume, and is offloaded immediately
    """
    if image_id is None:
        return _begin(connection, ctx, row, "shelve", OFFLOAD)
    return _begin(connection, ctx, row, "shelve", SHELVE, image_id=image_id)


def offload(connection, ctx, row: dict) -> str:
    """Begin to remove a shelved server from its host."""
    return _begin(connection, ctx, row, "shelveOffload", OFFLOAD)


def offload_automatically(connection, ctx, row: dict) -> str:
    """As ``offload``, without a request: recorded as an action of its own."""
    actions.start(connection, ctx, row["uuid"], "shelveOffload")
    return offload(connection, ctx, row)


def unshelve(connection, ctx, row: dict, requested_host: str | None = None) -> str:
    """Begin to start a shelved server, if it has been offloaded on a host that the scheduler chooses.

    :param requested_host: on which an offloaded server must go
    """
    if row["vm_state"] != SHELVED_OFFLOADED:
        return _begin(connection, ctx, row, "unshelve", START, vm_state=ACTIVE)
    image = None
    if row["shelved_image_id"]:  # its own disk, whatever the image was that it was made of
        image = {**row["image_meta"], "id": row["shelved_image_id"], "disk_format": "qcow2", "size": None, "os_hash_algo": None,
                 "os_hash_value": None}
    return _begin(connection, ctx, row, "unshelve", UNSHELVE, vm_state=ACTIVE, requested_host=requested_host,
                  new={"image_meta": image} if image else {})


def due(connection, shelved_s: float) -> list[dict]:
    """Servers that have been shelved for so long, and are still on their hosts."""
    c, before = TABLE.c, db.now() - datetime.timedelta(seconds=shelved_s)
    return rows.many(connection, sa.select(TABLE).where(
        c.vm_state == SHELVED, c.task_state.is_(None), c.shelved_at < before).limit(100))


def drop_image(connection, ctx, uuid: str, image_id: str | None, host: str | None = None) -> None:
    """Queue the deletion of a shelved server's image, which nobody needs any more.

    :param host: that may still have the file that was to become the image
    """
    if image_id:
        operations.begin(connection, ctx, DROP_IMAGE, uuid, 0, {"image_id": image_id, "host": host})


def reserved(connection, uuid: str, found: dict[str, str], gone: dict[str, str | None]) -> None:
    """A server's volumes are reserved for it, and no host has them, or does what was requested of them. One that was still being
    attached is attached when the server is unshelved, and one that was to be detached is free.

    :param found: {volume id: attachment id}
    :param gone: {id of a device that the server has no more: why it was not attached, or None if it was to be detached}
    """
    for volume_id, attachment_id in found.items():
        instances.set_attachment(connection, uuid, volume_id, attachment_id)
    for device in rows.select(connection, models.block_devices, id=list(gone), instance_uuid=uuid) if gone else ():
        rows.delete_where(connection, models.block_devices, id=device["id"])
        if reason := gone[device["id"]]:
            actions.failed(connection, device["request_id"], uuid, reason)
    rows.update_where(connection, models.block_devices, {"requested_action": None, "requested_at": None}, instance_uuid=uuid)


def unshelved(connection, ctx, uuid: str) -> None:
    """A server runs again: its image is not needed any more."""
    row = rows.find(connection, TABLE, uuid, key="uuid")
    if row is not None:
        drop_image(connection, ctx, uuid, row["shelved_image_id"])
        rows.update_where(connection, TABLE, {"shelved_image_id": None, "shelved_at": None}, uuid=uuid)
