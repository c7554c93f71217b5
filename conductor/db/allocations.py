"""Allocations: a row for each server and host, and each host's totals, written in the same transaction.

An allocation is claimed by compare-and-swap on the host's row and released by its key, so a repeated release subtracts nothing.
What is subtracted is what was claimed, whatever the server's row says by then.
"""

import sqlalchemy as sa

from common import db, rows
from conductor.db import models, server_migrations

TABLE, NODES, INSTANCES = models.allocations, models.compute_nodes, models.instances
# {column of an allocation: column of the host's total}
TOTALS = {"vcpus": "vcpus_used", "memory_mb": "memory_mb_used", "disk_gb": "local_gb_used"}


def claim(connection, node: dict, uuid: str, resources: dict, limits: dict) -> bool:
    """Allocate a host's resources to a server, if the host has room.

    :param node: as ``hosts.all_nodes`` returns it; its aggregates must not have changed since
    :param resources: {"vcpus", "memory_mb" (MiB), "disk_gb" (GiB)}; other keys are ignored
    :param limits: {column of a total: its maximum after the claim}; {}: unlimited
    :returns: False: a limit would be exceeded, or the host's aggregates have changed; nothing was written
    """
    room = [NODES.c.aggregates_generation == node["aggregates_generation"]]
    room += [NODES.c[total] + resources[name] <= limits[total] for name, total in TOTALS.items() if total in limits]
    if "running_vms" in limits:
        room.append(NODES.c.running_vms + 1 <= limits["running_vms"])
    done = connection.execute(sa.update(NODES).where(NODES.c.id == node["id"], *room).values(_change(resources, 1)))
    if done.rowcount == 0:
        return False
    connection.execute(sa.insert(TABLE).values(
        instance_uuid=uuid, host=node["host"], created_at=db.now(), **{name: resources[name] for name in TOTALS}))
    return True


def change(connection, uuid: str, host: str, resources: dict, limits: dict) -> bool:
    """Give a server another share of a host that it has a share of already. Repeatable.

    :param limits: as of ``claim``
    :returns: False: a limit would be exceeded, or the server has no share of it, or another one by now; to be rolled back
    """
    held = rows.first(connection, TABLE, instance_uuid=uuid, host=host)
    wanted = {name: resources[name] for name in TOTALS}
    if held is None:
        return False
    was = {name: held[name] for name in TOTALS}
    if was == wanted:
        return True
    if not rows.update_where(connection, TABLE, wanted, instance_uuid=uuid, host=host, **was):
        return False
    more = {name: wanted[name] - was[name] for name in TOTALS}
    room = [NODES.c[total] + more[name] <= limits[total] for name, total in TOTALS.items() if more[name] > 0 and total in limits]
    return connection.execute(sa.update(NODES).where(NODES.c.host == host, *room).values(
        _change(more, 1, servers=0))).rowcount > 0


def release(connection, uuid: str, host: str | None = None) -> None:
    """Release a server's allocation on one host, or on all. Repeatable."""
    of_host = [] if host is None else [TABLE.c.host == host]
    gone = rows.many(connection, sa.delete(TABLE).where(TABLE.c.instance_uuid == uuid, *of_host).returning(*TABLE.c))
    for held in sorted(gone, key=lambda held: held["host"]):
        connection.execute(sa.update(NODES).where(NODES.c.host == held["host"]).values(_change(held, -1)))


def hosts_of(connection, uuid: str) -> list[str]:
    """The hosts on which a server has an allocation: its own, and during a migration the other one."""
    return sorted(connection.execute(sa.select(TABLE.c.host).where(TABLE.c.instance_uuid == uuid)).scalars())


def servers_on(connection, host: str, uuids: set[str]) -> set[str]:
    """Those of these servers that have an allocation on a host."""
    if not uuids:
        return set()
    return set(connection.execute(sa.select(TABLE.c.instance_uuid).where(
        TABLE.c.host == host, TABLE.c.instance_uuid.in_(sorted(uuids)))).scalars())


def _change(resources: dict, times: int, servers: int | None = None) -> dict:
    return {"running_vms": NODES.c.running_vms + (times if servers is None else servers), "generation": NODES.c.generation + 1,
            **{total: NODES.c[total] + times * resources[name] for name, total in TOTALS.items()}}


def inconsistencies(connection) -> dict[str, list[str]]:
    """{host: [problem]}: allocations without a server, servers without an allocation, and wrong totals."""
    found: dict[str, list[str]] = {}
    held, wanted = _held(connection), _wanted(connection)
    for uuid, host in sorted(set(held) - set(wanted)):
        found.setdefault(host, []).append(f"has an allocation for server {uuid}, which does not exist")
    for uuid, host in sorted(set(wanted) - set(held)):
        found.setdefault(host, []).append(f"has no allocation for server {uuid}")
    for node in rows.many(connection, sa.select(NODES)):
        own = [part for (_, host), part in held.items() if host == node["host"]]
        true = {total: sum(part[name] for part in own) for name, total in TOTALS.items()} | {"running_vms": len(own)}
        found.setdefault(node["host"], []).extend(
            f"{name} is {node[name]}, should be {value}" for name, value in true.items() if node[name] != value)
    return {host: texts for host, texts in found.items() if texts}


def repair(connection, host: str) -> None:
    """Recreate a host's allocations from its servers, and its totals from its allocations."""
    node = rows.one(connection, sa.select(NODES).where(NODES.c.host == host))
    wanted = {uuid: part for (uuid, where), part in _wanted(connection).items() if where == host}
    connection.execute(sa.delete(TABLE).where(TABLE.c.host == host, TABLE.c.instance_uuid.not_in(list(wanted))))
    held = {uuid for uuid, where in _held(connection) if where == host}
    missing = [{"instance_uuid": uuid, "host": host, "created_at": db.now(), **part}
               for uuid, part in wanted.items() if uuid not in held]
    if missing:
        connection.execute(sa.insert(TABLE), missing)
    if node is not None:
        own = [part for (_, where), part in _held(connection).items() if where == host]
        connection.execute(sa.update(NODES).where(NODES.c.host == host).values(
            running_vms=len(own), generation=NODES.c.generation + 1,
            **{total: sum(part[name] for part in own) for name, total in TOTALS.items()}))


def _held(connection) -> dict[tuple[str, str], dict]:
    """{(server, host): {"vcpus", "memory_mb", "disk_gb"}}"""
    return {(row["instance_uuid"], row["host"]): {name: row[name] for name in TOTALS}
            for row in rows.many(connection, sa.select(TABLE))}


def _wanted(connection) -> dict[tuple[str, str], dict]:
    columns = (INSTANCES.c.uuid, INSTANCES.c.host, *(INSTANCES.c[name] for name in TOTALS))
    own = {(row["uuid"], row["host"]): {name: row[name] for name in TOTALS}
           for row in rows.many(connection, sa.select(*columns).where(INSTANCES.c.host.is_not(None)))}
    living = {uuid for uuid, _ in own}
    return own | {of: part for of, part in server_migrations.held(connection).items() if of[0] in living}
