"""Deletion of servers: ``begin`` when it is requested, ``finish`` when nothing of the server is left.

Every way leads through ``begin`` and ``finish``. Between them the server's host gives back what it holds (the agent's task
``terminate``), or the conductor does where the host cannot (``conductor.pending_work.local_delete``).
"""

import datetime

import sqlalchemy as sa

from common import db, rows
from common.server_states import DELETED as VM_DELETED
from common.server_states import DELETING, NOSTATE
from conductor.db import actions, allocations, hosts, machine, models, operations, resizes, shelving

TABLE, DELETED, DEVICES = models.instances, models.deleted_instances, models.block_devices
ACTIONS, EVENTS = models.instance_actions, models.instance_events
# Who carries out the deletion. NOBODY: no host ever had the server, nor has it volumes, and it has been deleted already.
HOST, CONDUCTOR, NOBODY = "host", "conductor", "nobody"


def begin(connection, ctx, row: dict, down_time_s: int) -> tuple[str, dict]:
    """Begin the deletion of a server.

    :param row: the server with its block devices, as this transaction reads it
    :returns: (HOST, CONDUCTOR or NOBODY, the updated row). ``operation_id`` is added to that of a server without a host, which an
        operation of the conductor deletes
    """
    uuid, host = row["uuid"], row["host"]
    machine.begin(connection, uuid, "delete", request_id=ctx.request_id)
    actions.start(connection, ctx, uuid, "delete")
    # A host that was to build it, and does not answer any more, may have left ports.
    if host is None and not row["block_devices"] and not row["network_info"] and not row["tried_hosts"]:
        return NOBODY, _end(connection, ctx, row, [])
    if host is None:
        operation_id = operations.begin(connection, ctx, shelving.DELETE, uuid, row["attempt"] + 1, {})
        return CONDUCTOR, {**row, "task_state": DELETING, "operation_id": operation_id}
    answers = host is not None and hosts.service_up(connection, host, down_time_s)
    return HOST if answers else CONDUCTOR, {**row, "task_state": DELETING}


def finish(connection, ctx, uuid: str, host: str | None, events: list[dict]) -> dict | None:
    """Finish the deletion: release the server's allocations and move its row to the deleted servers.

    :param host: the host of the server; a report from another host changes nothing
    :param events: the steps of the deletion, as ``actions.events`` takes them
    :returns: the row of the deleted server; None if it was deleted already or is not being deleted
    """
    row = rows.one(connection, sa.select(TABLE).where(
        TABLE.c.uuid == uuid, TABLE.c.task_state == DELETING,
        TABLE.c.host.is_(None) if host is None else TABLE.c.host == host))
    return None if row is None else _end(connection, ctx, row, events)


def _end(connection, ctx, row: dict, events: list[dict]) -> dict:
    uuid, at = row["uuid"], db.now()
    # Nobody can read the password and the files of a deleted server. Everything else stays as it was.
    gone = {**{c.name: row[c.name] for c in TABLE.c}, "vm_state": VM_DELETED, "task_state": None,
            "power_state": NOSTATE, "updated_at": at, "deleted_at": at, "network_info": [],
            "security_groups": [], "posted_password": None, "injected_files": None}
    actions.events(connection, ctx.request_id, uuid, events)
    allocations.release(connection, uuid)
    resizes.leave(connection, ctx, uuid)
    shelving.drop_image(connection, ctx, uuid, row["shelved_image_id"])
    connection.execute(sa.insert(DELETED).values(gone))
    connection.execute(sa.delete(DEVICES).where(DEVICES.c.instance_uuid == uuid))
    connection.execute(sa.delete(TABLE).where(TABLE.c.uuid == uuid))
    return gone


def purge(database, before: datetime.datetime, batch: int = 1000) -> int:
    """Remove servers that were deleted before a time, with their actions, in several transactions.

    :returns: the number of servers removed
    """
    removed = 0
    while found := database.transact(_purge_some, before, batch):
        removed += found
    while database.transact(_purge_actions, before, batch):
        pass
    return removed


def _purge_some(connection, before: datetime.datetime, most: int) -> int:
    old = sa.select(DELETED.c.uuid).where(DELETED.c.deleted_at < before).order_by(DELETED.c.deleted_at).limit(most)
    uuids = connection.execute(old).scalars().all()
    if uuids:
        _remove_actions(connection, uuids)
        connection.execute(sa.delete(DELETED).where(DELETED.c.uuid.in_(uuids)))
    return len(uuids)


def _purge_actions(connection, before: datetime.datetime, most: int) -> int:
    """Remove actions of servers that have no row: up to schema revision 0008, deleted servers were not kept."""
    of = ACTIONS.c.instance_uuid
    lost = sa.select(of).distinct().where(
        ACTIONS.c.updated_at < before, *(~sa.exists().where(table.c.uuid == of) for table in (TABLE, DELETED))).limit(most)
    uuids = connection.execute(lost).scalars().all()
    if uuids:
        _remove_actions(connection, uuids)
    return len(uuids)


def _remove_actions(connection, uuids) -> None:
    for table in (EVENTS, ACTIONS, models.server_migrations):
        connection.execute(sa.delete(table).where(table.c.instance_uuid.in_(uuids)))
