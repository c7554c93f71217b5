"""Queries on instances and their block devices."""

import datetime

import sqlalchemy as sa

from common import db, errors, rows
from common.db import MOMENT
from conductor.db import models
from conductor.db.scope import Scope

TABLE, DELETED, DEVICES = models.instances, models.deleted_instances, models.block_devices
DEVICE_NAME = "(/dev/)?(x?[a-z]?d)?[a-z][0-9]*"  # as clients write it


def get(connection, uuid: str, scope: Scope) -> dict:
    """One instance with its ``block_devices``.

    :raises NotFound: there is none in this scope
    """
    row = rows.find(connection, TABLE, uuid, scope.of(TABLE.c.project_id), key="uuid")
    if row is None:
        raise errors.NotFound(f"Instance {uuid} could not be found.")
    return complete(connection, [row])[0]


def find(connection, uuid: str) -> dict | None:
    """One instance of anybody with its ``block_devices``, or None."""
    row = rows.one(connection, sa.select(TABLE).where(TABLE.c.uuid == uuid))
    return complete(connection, [row])[0] if row else None


def states_of(connection, uuid: str) -> dict | None:
    """{"host", "attempt", "vm_state", "task_state", "power_state"} of a server; None: it is gone."""
    c = TABLE.c
    return rows.one(connection, sa.select(c.host, c.attempt, c.vm_state, c.task_state, c.power_state).where(c.uuid == uuid))


def lock_attempt(connection, uuid: str, attempt: int) -> bool:
    """Whether a server is in this attempt; if so, it is until the transaction ends."""
    c = TABLE.c
    found = sa.select(c.uuid).where(c.uuid == uuid, c.attempt == attempt).with_for_update()
    return connection.execute(found).first() is not None


def get_also_deleted(connection, uuid: str, scope: Scope) -> dict:
    """As ``get``, but the server may be deleted, and its block devices are not read."""
    for table in (TABLE, DELETED):
        row = rows.find(connection, table, uuid, scope.of(table.c.project_id), key="uuid")
        if row is not None:
            return row
    raise errors.NotFound(f"Instance {uuid} could not be found.")


def page(where: dict, *, sort: list[tuple[str, str]], limit: int, marker_row: dict | None) -> sa.Select:
    """The select of a page of servers, which have ``deleted_at`` besides the columns of ``instances``.

    :param where: {TABLE for living servers, or DELETED: conditions}. Of both it is one statement, so a server that is deleted
        meanwhile is seen once
    """
    parts = []
    for table, conditions in where.items():
        deleted_at = table.c.deleted_at if table is DELETED else sa.cast(sa.null(), MOMENT).label("deleted_at")
        query = sa.select(*(table.c[c.name] for c in TABLE.c), deleted_at).where(*conditions)
        parts.append(db.page(query, table, sort=sort, limit=limit, marker_row=marker_row, unique="uuid"))
    if len(parts) == 1:
        return parts[0]
    together = sa.union_all(*(sa.select(part.subquery()) for part in parts)).subquery()
    return db.page(sa.select(together), together, sort=sort, limit=limit, marker_row=None, unique="uuid")


def there_between(scope: Scope, start: datetime.datetime, stop: datetime.datetime, *, limit: int,
                  marker_row: dict | None) -> sa.Select:
    """As ``page``, of the servers that had been launched before ``stop`` and were not deleted before ``start``."""
    where = {table: [scope.of(table.c.project_id), table.c.launched_at < stop] for table in (TABLE, DELETED)}
    where[DELETED].append(DELETED.c.deleted_at > start)
    return page(where, sort=[("project_id", "asc")], limit=limit, marker_row=marker_row)


def write(connection, uuid: str, **values) -> None:
    """Write columns of an instance, and the time of the change."""
    rows.update_where(connection, TABLE, {"updated_at": db.now(), **values}, uuid=uuid)


def change(connection, row: dict, **values) -> dict:
    """Write the columns that differ from the row, and the time of the change; returns the row as it is now."""
    return rows.change(connection, TABLE, row, values, resource="instance", key="uuid")


def set_attachment(connection, uuid: str, volume_id: str, attachment_id: str) -> None:
    """The attachment by which the server's guest has a volume."""
    rows.update_where(connection, DEVICES, {"attachment_id": attachment_id}, instance_uuid=uuid, volume_id=volume_id)


def post_password(connection, uuid: str, text: str) -> bool:
    """Store the password that a guest posts, unless there is one already; returns whether it was stored."""
    return connection.execute(sa.update(TABLE).where(
        TABLE.c.uuid == uuid, sa.or_(TABLE.c.posted_password.is_(None), TABLE.c.posted_password == "")).values(
        posted_password=text)).rowcount > 0


def by_host(connection) -> dict[str, list[str]]:
    """{host: the uuids of its servers, the oldest first}"""
    found: dict[str, list[str]] = {}
    for host, uuid in connection.execute(sa.select(TABLE.c.host, TABLE.c.uuid).where(TABLE.c.host.is_not(None)).order_by(
            TABLE.c.created_at)):
        found.setdefault(host, []).append(uuid)
    return found


def of_groups(connection, group_ids: list[str]) -> dict[str, list[str]]:
    """{server group id: the uuids of its members}"""
    found: dict[str, list[str]] = {i: [] for i in group_ids}
    query = sa.select(TABLE.c.server_group_id, TABLE.c.uuid).where(TABLE.c.server_group_id.in_(group_ids))
    for group_id, uuid in connection.execute(query) if group_ids else ():
        found[group_id].append(uuid)
    return found


def complete(connection, found: list[dict]) -> list[dict]:
    """Add block devices: one statement, whatever the number of rows."""
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


def usage(connection, project_id: str) -> dict:
    """{"instances", "cores", "ram"} counted from rows."""
    c = TABLE.c
    count, cores, ram = connection.execute(sa.select(
        sa.func.count(), sa.func.coalesce(sa.func.sum(c.vcpus), 0), sa.func.coalesce(sa.func.sum(c.memory_mb), 0))
        .where(c.project_id == project_id)).one()
    return {"instances": int(count), "cores": int(cores), "ram": int(ram)}


def usage_on_host(connection, host: str) -> list[tuple[str, int, int, int]]:
    """(project id, vCPUs, memory in MiB, disk in GiB) of the servers on a host, by project."""
    sums = [sa.func.coalesce(sa.func.sum(TABLE.c[name]), 0) for name in ("vcpus", "memory_mb", "disk_gb")]
    query = sa.select(TABLE.c.project_id, *sums).where(TABLE.c.host == host).group_by(TABLE.c.project_id)
    return [(project_id, int(vcpus), int(memory_mb), int(disk_gb)) for project_id, vcpus, memory_mb, disk_gb
            in connection.execute(query.order_by(TABLE.c.project_id))]


def next_device(connection, uuid: str, asked: str | None = None) -> str:
    """The first free /dev/vdX after the root disk. Two at once meet at a unique constraint.

    :param asked: a ``DEVICE_NAME``, whatever its bus: ``sdc`` and ``/dev/xvdc`` are /dev/vdc here
    :raises Conflict: it is another volume's, or the root disk's
    """
    taken = set(connection.execute(sa.select(DEVICES.c.device_name).where(DEVICES.c.instance_uuid == uuid)).scalars())
    if asked:
        name = f"/dev/vd{asked.rstrip('0123456789')[-1]}"
        if name in {*taken, "/dev/vda"}:
            raise errors.Conflict(f"The supplied device path ({asked}) is in use.")
        return name
    for letter in "bcdefghijklmnopqrstuvwxyz":
        if f"/dev/vd{letter}" not in taken:
            return f"/dev/vd{letter}"
    raise errors.Forbidden("The server has as many volumes as it can have.")
