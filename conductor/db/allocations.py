"""What servers hold of hosts: a row for each server and host, and each host's sums beside them, written together.

A row is made by compare-and-swap on the host and goes by its key, so what is given back twice is subtracted once, and by what
was taken, whatever the server's row says by then.
"""

import sqlalchemy as sa

from common import db, rows
from conductor.db import models, server_migrations

TABLE, NODES, INSTANCES = models.allocations, models.compute_nodes, models.instances
# column of an allocation: that of the host's sum
SUMS = {"vcpus": "vcpus_used", "memory_mb": "memory_mb_used", "disk_gb": "local_gb_used"}


def claim(connection, node: dict, uuid: str, resources: dict, limits: dict | None = None) -> bool:
    """Take a server's part of a host, if there is room for it.

    :param resources: {"vcpus", "memory_mb" (MiB), "disk_gb" (GiB)}; other members are left out
    :param limits: {column of a sum: the most that it may be after this}; without, nobody may have taken or given back anything
        since ``node`` was read
    :returns: False: the host has no room, or has changed; nothing was written
    """
    if limits is None:
        room = [NODES.c.generation == node["generation"]]
    else:
        room = [NODES.c[sums] + resources[name] <= limits[sums] for name, sums in SUMS.items() if sums in limits]
    done = connection.execute(sa.update(NODES).where(NODES.c.id == node["id"], *room).values(_changed(resources, 1)))
    if done.rowcount == 0:
        return False
    connection.execute(sa.insert(TABLE).values(
        instance_uuid=uuid, host=node["host"], created_at=db.now(), **{name: resources[name] for name in SUMS}))
    return True


def release(connection, uuid: str, host: str | None = None) -> None:
    """Give back what a server holds, of one host or of all, in the transaction that takes that away. Again: nothing is left to
    give back."""
    of_host = [] if host is None else [TABLE.c.host == host]
    for held in rows.many(connection, sa.select(TABLE).where(TABLE.c.instance_uuid == uuid, *of_host)):
        gone = connection.execute(sa.delete(TABLE).where(TABLE.c.instance_uuid == uuid, TABLE.c.host == held["host"]))
        if gone.rowcount:
            connection.execute(sa.update(NODES).where(NODES.c.host == held["host"]).values(_changed(held, -1)))


def hosts_of(connection, uuid: str) -> list[str]:
    """The hosts that a server holds a part of: its own, and the other one of a migration that is not ended."""
    return sorted(connection.execute(sa.select(TABLE.c.host).where(TABLE.c.instance_uuid == uuid)).scalars())


def _changed(resources: dict, times: int) -> dict:
    return {"running_vms": NODES.c.running_vms + times, "generation": NODES.c.generation + 1,
            **{sums: NODES.c[sums] + times * resources[name] for name, sums in SUMS.items()}}


def faults(connection) -> dict[str, list[str]]:
    """{host: what is wrong}: allocations that are not those of its servers, sums that are not those of its allocations."""
    found: dict[str, list[str]] = {}
    held, wanted = _held(connection), _wanted(connection)
    for uuid, host in sorted(set(held) - set(wanted)):
        found.setdefault(host, []).append(f"holds a part for server {uuid}, which is not there")
    for uuid, host in sorted(set(wanted) - set(held)):
        found.setdefault(host, []).append(f"holds nothing for server {uuid}")
    for node in rows.many(connection, sa.select(NODES)):
        own = [part for (_, host), part in held.items() if host == node["host"]]
        true = {sums: sum(part[name] for part in own) for name, sums in SUMS.items()} | {"running_vms": len(own)}
        found.setdefault(node["host"], []).extend(
            f"{name} is {node[name]}, should be {value}" for name, value in true.items() if node[name] != value)
    return {host: texts for host, texts in found.items() if texts}


def mend(connection, host: str) -> None:
    """Make a host's allocations those of its servers, and its sums those of its allocations."""
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
            **{sums: sum(part[name] for part in own) for name, sums in SUMS.items()}))


def _held(connection) -> dict[tuple[str, str], dict]:
    """{(server, host): {"vcpus", "memory_mb", "disk_gb"}}"""
    return {(row["instance_uuid"], row["host"]): {name: row[name] for name in SUMS}
            for row in rows.many(connection, sa.select(TABLE))}


def _wanted(connection) -> dict[tuple[str, str], dict]:
    columns = (INSTANCES.c.uuid, INSTANCES.c.host, *(INSTANCES.c[name] for name in SUMS))
    own = {(row["uuid"], row["host"]): {name: row[name] for name in SUMS}
           for row in rows.many(connection, sa.select(*columns).where(INSTANCES.c.host.is_not(None)))}
    living = {uuid for uuid, _ in own}
    return own | {of: part for of, part in server_migrations.held(connection).items() if of[0] in living}
