"""Queries on instances and their block devices."""

import datetime
from collections.abc import Iterable

import sqlalchemy as sa

from common import db, errors, rows
from common.db import MOMENT
from common.server_states import (
    BUILDING,
    EVACUATION_TASKS,
    IMAGE_TASKS,
    LIVE_MIGRATING,
    REBUILDING,
    RESCUING,
    RESIZE_TASKS,
    SHELVING_TASKS,
    SOFT_DELETED,
    UNSHELVING_TASKS,
)
from conductor.db import aggregates, models
from conductor.db.scope import Scope

TABLE, DELETED, DEVICES = models.instances, models.deleted_instances, models.block_devices
_NOT_DELETED = sa.cast(sa.null(), MOMENT).label("deleted_at")
_USED = ("display_name", "flavor", "vm_state", "launched_at", "deleted_at")
# Task states in which much is read from the host's disks, or written to them.
STRAINING_TASKS = (*IMAGE_TASKS, *RESIZE_TASKS, *EVACUATION_TASKS, *SHELVING_TASKS, *UNSHELVING_TASKS, REBUILDING, RESCUING,
                   LIVE_MIGRATING)
DEVICE_NAME = "(/dev/)?(x?[a-z]?d)?[a-z][0-9]*"  # as clients write it


def get(connection, uuid: str, scope: Scope) -> dict:
    """An instance with its ``block_devices``.

    :raises NotFound: there is none in this scope
    """
    row = rows.find(connection, TABLE, uuid, scope.of(TABLE.c.project_id), key="uuid")
    if row is None:
        raise errors.NotFound(f"Instance {uuid} could not be found.")
    return add_block_devices(connection, [row])[0]


def find(connection, uuid: str) -> dict | None:
    """An instance of any project with its ``block_devices``, or None."""
    row = rows.one(connection, sa.select(TABLE).where(TABLE.c.uuid == uuid))
    return add_block_devices(connection, [row])[0] if row else None


STATES = [TABLE.c[name] for name in ("host", "attempt", "vm_state", "task_state", "power_state")]


def states_of(connection, uuid: str) -> dict | None:
    """{"host", "attempt", "vm_state", "task_state", "power_state"} of a server, or None if it does not exist."""
    return rows.one(connection, sa.select(*STATES).where(TABLE.c.uuid == uuid))


def lock_attempt(connection, uuid: str, attempt: int, *, whole: bool = False) -> dict | None:
    """As ``states_of``, of a server that is in this attempt, and stays in it until the transaction ends; None: it is not.

    :param whole: all columns
    """
    return rows.one(connection, sa.select(*(TABLE.c if whole else STATES)).where(
        TABLE.c.uuid == uuid, TABLE.c.attempt == attempt).with_for_update())


def lock_zones(connection, uuid: str) -> dict:
    """{"availability_zone", "pinned_availability_zone"} of a server, which stay what they are until the transaction ends."""
    query = sa.select(TABLE.c.availability_zone, TABLE.c.pinned_availability_zone).where(TABLE.c.uuid == uuid).with_for_update()
    found = rows.one(connection, query)
    if found is None:
        raise errors.NotFound(f"Instance {uuid} could not be found.")
    return found


def get_including_deleted(connection, uuid: str, scope: Scope) -> dict:
    """As ``get``, but also finds deleted servers, and does not read block devices."""
    for table in (TABLE, DELETED):
        row = rows.find(connection, table, uuid, scope.of(table.c.project_id), key="uuid")
        if row is not None:
            return row
    raise errors.NotFound(f"Instance {uuid} could not be found.")


def page(where: dict, columns: Iterable[str], *, sort: list[tuple[str, str]], limit: int, marker_row: dict | None) -> sa.Select:
    """The SELECT of a page of servers, which may have ``deleted_at`` besides the columns of ``instances``.

    :param where: {TABLE for existing servers, or DELETED: conditions}. Both are read in one statement, so that a server which is
        deleted meanwhile appears once
    :param columns: the names of the columns to read; those that the page is sorted by are read too
    """
    names = dict.fromkeys((*columns, *(name for name, _ in sort), "uuid"))
    parts = []
    for table, conditions in where.items():
        query = sa.select(*(table.c[n] if n in table.c else _NOT_DELETED for n in names)).where(*conditions)
        parts.append(db.page(query, table, sort=sort, limit=limit, marker_row=marker_row, unique="uuid"))
    if len(parts) == 1:
        return parts[0]
    together = sa.union_all(*(sa.select(part.subquery()) for part in parts)).subquery()
    return db.page(sa.select(together), together, sort=sort, limit=limit, marker_row=None, unique="uuid")


def existing_between(scope: Scope, start: datetime.datetime, stop: datetime.datetime, *, limit: int,
                  marker_row: dict | None) -> sa.Select:
    """As ``page``, for servers that were launched before ``stop`` and not deleted before ``start``, with the columns of usage
    reports."""
    where = {table: [scope.of(table.c.project_id), table.c.launched_at < stop] for table in (TABLE, DELETED)}
    where[DELETED].append(DELETED.c.deleted_at > start)
    return page(where, _USED, sort=[("project_id", "asc")], limit=limit, marker_row=marker_row)


def write(connection, uuid: str, **values) -> None:
    """Write columns of an instance and ``updated_at``."""
    rows.update_where(connection, TABLE, {"updated_at": db.now(), **values}, uuid=uuid)


def on_host(connection, host: str, default_zone: str) -> dict:
    """The columns of a server that is on this host now: it, and its availability zone."""
    return {"host": host, "availability_zone": aggregates.host_zone(connection, host, default_zone)}


def move(connection, uuid: str, host: str, default_zone: str) -> None:
    """Record the host that a server is on now, and with it the availability zone."""
    write(connection, uuid, **on_host(connection, host, default_zone))


def change(connection, row: dict, **values) -> dict:
    """Write the columns that differ from the row, and ``updated_at``; returns the updated row."""
    return rows.change(connection, TABLE, row, values, resource="instance", key="uuid")


def is_volume_requested(row: dict) -> bool:
    """Whether a host still has to attach or detach a volume of a server. :param row: with its block devices"""
    return any(d["requested_action"] for d in row["block_devices"])


def set_attachment(connection, uuid: str, volume_id: str, attachment_id: str) -> None:
    """Record the attachment through which the guest uses a volume."""
    rows.update_where(connection, DEVICES, {"attachment_id": attachment_id}, instance_uuid=uuid, volume_id=volume_id)


def move_attachments(connection, uuid: str, found: dict[str, str]) -> None:
    """Record the attachments to the host that a server is on now. A volume that its former host attached in the meantime is
    attached anew.

    :param found: {volume id: attachment id}
    """
    for volume_id, attachment_id in found.items():
        set_attachment(connection, uuid, volume_id, attachment_id)
    connection.execute(sa.update(DEVICES).where(
        DEVICES.c.instance_uuid == uuid, DEVICES.c.attachment_id.is_not(None), DEVICES.c.volume_id.not_in(list(found))).values(
        attachment_id=None, requested_action="attach", requested_at=db.now()))


def post_password(connection, uuid: str, text: str) -> bool:
    """Store the password that a guest posts, unless one is stored already; returns whether it was stored."""
    return connection.execute(sa.update(TABLE).where(
        TABLE.c.uuid == uuid, sa.or_(TABLE.c.posted_password.is_(None), TABLE.c.posted_password == "")).values(
        posted_password=text)).rowcount > 0


def uuids_by_host(connection) -> dict[str, list[str]]:
    """{host: uuids of its servers, oldest first}"""
    found: dict[str, list[str]] = {}
    for host, uuid in connection.execute(sa.select(TABLE.c.host, TABLE.c.uuid).where(TABLE.c.host.is_not(None)).order_by(
            TABLE.c.created_at)):
        found.setdefault(host, []).append(uuid)
    return found


def io_ops(connection) -> dict[str, int]:
    """{host: number of its servers that are being built, moved, rebuilt or stored as images}"""
    c = TABLE.c
    query = sa.select(c.host, sa.func.count()).where(c.host.is_not(None), sa.or_(
        c.vm_state == BUILDING, c.task_state.in_(STRAINING_TASKS))).group_by(c.host)
    return dict(connection.execute(query).all())


def uuids_by_group(connection, group_ids: list[str]) -> dict[str, list[str]]:
    """{server group id: uuids of its members}"""
    found: dict[str, list[str]] = {i: [] for i in group_ids}
    query = sa.select(TABLE.c.server_group_id, TABLE.c.uuid).where(TABLE.c.server_group_id.in_(group_ids))
    for group_id, uuid in connection.execute(query) if group_ids else ():
        found[group_id].append(uuid)
    return found


def add_block_devices(connection, found: list[dict]) -> list[dict]:
    """Add the block devices to rows, in one statement."""
    if not found:
        return found
    devices = rows.many(connection, sa.select(DEVICES).where(DEVICES.c.instance_uuid.in_([r["uuid"] for r in found]))
                        .order_by(DEVICES.c.device_name))
    by: dict[str, list] = {}
    for device in devices:
        by.setdefault(device["instance_uuid"], []).append(device)
    return [{**r, "block_devices": by.get(r["uuid"], [])} for r in found]


def notification_payload(row: dict) -> dict:
    """What notifications say of a server."""
    flavor = row["flavor"]
    return {"instance_id": row["uuid"], "tenant_id": row["project_id"], "user_id": row["user_id"], "host": row["host"],
            "display_name": row["display_name"], "hostname": row["hostname"], "state": row["vm_state"],
            "state_description": row["task_state"] or "", "instance_type": flavor["name"],
            "instance_flavor_id": str(flavor["id"]), "memory_mb": row["memory_mb"], "vcpus": row["vcpus"],
            "root_gb": flavor["disk"], "ephemeral_gb": flavor["ephemeral"], "disk_gb": row["disk_gb"],
            "image_ref": row["image_ref"], "metadata": row["metadata"], "reservation_id": row["reservation_id"],
            "availability_zone": row["availability_zone"], "created_at": row["created_at"],
            "launched_at": row["launched_at"], "terminated_at": row.get("deleted_at"), "deleted_at": row.get("deleted_at")}


def usage(connection, project_id: str, user_id: str | None = None, **also: sa.ScalarSelect) -> dict:
    """{"instances", "cores", "ram"} in use, counted from rows; not by servers that could be restored, as in Nova.

    :param user_id: count only this user's servers in the project
    :param also: numbers to read with the same statement, by the key that they get
    """
    c = TABLE.c
    wanted = {"instances": sa.func.count(), "cores": sa.func.coalesce(sa.func.sum(c.vcpus), 0),
              "ram": sa.func.coalesce(sa.func.sum(c.memory_mb), 0), **also}
    whose = sa.true() if user_id is None else c.user_id == user_id
    found = connection.execute(sa.select(*wanted.values()).where(
        c.project_id == project_id, c.vm_state != SOFT_DELETED, whose)).one()
    return dict(zip(wanted, map(int, found)))


def usage_on_host(connection, host: str) -> list[tuple[str, int, int, int]]:
    """(project id, vCPUs, memory in MiB, disk in GiB) of the servers on a host, per project."""
    sums = [sa.func.coalesce(sa.func.sum(TABLE.c[name]), 0) for name in ("vcpus", "memory_mb", "disk_gb")]
    query = sa.select(TABLE.c.project_id, *sums).where(TABLE.c.host == host).group_by(TABLE.c.project_id)
    return [(project_id, int(vcpus), int(memory_mb), int(disk_gb)) for project_id, vcpus, memory_mb, disk_gb
            in connection.execute(query.order_by(TABLE.c.project_id))]


def next_device(connection, row: dict, asked: str | None = None) -> str:
    """The first free name, as /dev/vdX, after the root, ephemeral and swap disks. A unique constraint protects against
    concurrent requests.

    :param row: the server
    :param asked: a ``DEVICE_NAME`` of any bus: ``sdc`` and ``/dev/xvdc`` mean /dev/vdc
    :raises Conflict: another volume or disk has it
    """
    taken = set(connection.execute(sa.select(DEVICES.c.device_name).where(DEVICES.c.instance_uuid == row["uuid"])).scalars())
    root = row["root_device_name"]
    taken |= {root, *(d["device_name"] for d in row["flavor"].get("local_disks", []))}
    if asked:
        name = f"{root[:-1]}{asked.rstrip('0123456789')[-1]}"
        if name in taken:
            raise errors.Conflict(f"The supplied device path ({asked}) is in use.")
        return name
    for letter in "bcdefghijklmnopqrstuvwxyz":
        if f"{root[:-1]}{letter}" not in taken:
            return f"{root[:-1]}{letter}"
    raise errors.Forbidden("The server has as many volumes as it can have.")
