"""Compute hosts: their state and resources. ``heartbeats`` writes what they report."""

import datetime

import sqlalchemy as sa

from common import context, db, errors, rows, upgrade
from conductor.db import models

NODES, SERVICES = models.compute_nodes, models.services
REPORTED = ("hypervisor_hostname", "vcpus", "memory_mb", "local_gb", "facts")


def rpc_versions(connection, binary: str) -> list[str | None]:
    """The RPC versions reported by the services of a kind that may still be running."""
    since = db.now() - datetime.timedelta(seconds=upgrade.VERSION_EXPIRES_S)
    return list(connection.execute(sa.select(SERVICES.c.rpc_version).distinct().where(
        SERVICES.c.binary == binary, SERVICES.c.updated_at > since, sa.not_(SERVICES.c.forced_down))).scalars())


def compute_versions(database: db.Database) -> list[str | None]:
    """``rpc_versions`` of the compute agents, in a transaction of its own."""
    with database.reader() as connection:
        return rpc_versions(connection, "nova-compute")


def report(connection, host: str, resources: dict) -> None:
    """Store the changed resources of a host: the keys REPORTED of ``resources``. Its usage is not changed."""
    values = {k: resources[k] for k in REPORTED}
    done = connection.execute(sa.update(NODES).where(NODES.c.host == host).values(
        updated_at=db.now(), generation=NODES.c.generation + 1, **values))
    if done.rowcount == 0:
        connection.execute(sa.insert(NODES).values(
            id=context.new_uuid(), host=host, vcpus_used=0, memory_mb_used=0, local_gb_used=0, running_vms=0,
            generation=0, updated_at=db.now(), **values))


def all_nodes(connection, *, facts: bool = True, node_id: str | None = None) -> list[dict]:
    """All nodes, or one, with the state of their service, in one statement. ``facts``: include the capabilities, which are large.
    """
    join = sa.and_(SERVICES.c.host == NODES.c.host, SERVICES.c.binary == "nova-compute")
    columns = [c for c in NODES.c if facts or c.name != "facts"]
    return rows.many(connection, sa.select(
        *columns, SERVICES.c.id.label("service_id"), SERVICES.c.disabled, SERVICES.c.disabled_reason,
        SERVICES.c.forced_down, SERVICES.c.updated_at.label("heartbeat_at"))
        .join(SERVICES, join).where(sa.true() if node_id is None else NODES.c.id == node_id).order_by(NODES.c.host))


def facts_of(connection, node_ids: list[str]) -> dict[str, dict]:
    """{node id: capabilities}"""
    return dict(connection.execute(sa.select(NODES.c.id, NODES.c.facts).where(NODES.c.id.in_(node_ids))).all())


def facts_on(connection, host: str | None) -> dict:
    """The capabilities of a host; {} if it has not reported any."""
    return connection.execute(sa.select(NODES.c.facts).where(NODES.c.host == host)).scalar() or {}


def is_up(row: dict, down_time_s: int, now: datetime.datetime | None = None) -> bool:
    at = row.get("heartbeat_at") or row["updated_at"]
    return not row["forced_down"] and ((now or db.now()) - at).total_seconds() < down_time_s


def statuses(connection, names: set[str], down_time_s: int) -> dict[str, str]:
    """{host: status shown to operators}: UP, UNKNOWN (does not respond), MAINTENANCE (disabled), DOWN (forced down), or "" if
    there is no such service.
    """
    if not names:
        return {}
    found = rows.many(connection, sa.select(SERVICES).where(SERVICES.c.binary == "nova-compute", SERVICES.c.host.in_(names)))
    return dict.fromkeys(names, "") | {row["host"]: "DOWN" if row["forced_down"] else "MAINTENANCE" if row["disabled"]
            else "UP" if is_up(row, down_time_s) else "UNKNOWN" for row in found}


def service_up(connection, host: str, down_time_s: int) -> bool:
    row = rows.one(connection, sa.select(SERVICES).where(SERVICES.c.host == host,
                                                         SERVICES.c.binary == "nova-compute"))
    return row is not None and is_up(row, down_time_s)


def service_up_and(connection, host: str, down_time_s: int, value: sa.ScalarSelect) -> tuple:
    """As ``service_up``, and another value in the same statement; None for it if there is no such service."""
    row = rows.one(connection, sa.select(SERVICES, value.label("_value")).where(
        SERVICES.c.host == host, SERVICES.c.binary == "nova-compute"))
    return (is_up(row, down_time_s), row["_value"]) if row is not None else (False, None)


def lock_service(connection, host: str) -> dict | None:
    """The row of a host's compute service, which no host that returns can change until the transaction ends."""
    return rows.one(connection, sa.select(SERVICES).where(SERVICES.c.host == host, SERVICES.c.binary == "nova-compute")
                    .with_for_update())


def unsupported(connection, host: str) -> list[str]:
    """What a host's hypervisor cannot do with its guests, by the names of ``common.guest_needs``."""
    return facts_on(connection, host).get("unsupported", [])


def is_known(connection, host: str) -> bool:
    """Whether this host has a compute service, up or not."""
    return rows.exists(connection, SERVICES, host=host, binary="nova-compute")


def get(connection, node_id: str) -> dict:
    found = [n for n in all_nodes(connection) if node_id in (n["id"], n["hypervisor_hostname"])]
    if not found:
        raise errors.NotFound(f"Compute host {node_id} could not be found.")
    return found[0]
