"""Host aggregates, and the availability zones of hosts, which are metadata of aggregates.

A host may be in several aggregates, but in one zone only; one without a zone is in the default zone. Whoever changes aggregates
holds a lock, and increments ``aggregates_generation`` of the hosts concerned, so that no scheduler claims a host by what it knew
of its aggregates before, and servers that are claimed meanwhile are seen.
"""

import logging
import math

import sqlalchemy as sa

from common import context, db, errors, rows
from conductor.db import models

LOG = logging.getLogger(__name__)
TABLE, HOSTS, NODES, SERVICES = models.aggregates, models.aggregate_hosts, models.compute_nodes, models.services
COMPUTE = "nova-compute"
ZONE = "availability_zone"  # key of the metadata
INTERNAL_ZONE = "internal"  # that services other than compute agents are shown in


def lock(connection) -> None:
    """Nobody else changes aggregates until the transaction ends."""
    db.lock(connection, "aggregates")


def touch(connection, names: list[str]) -> None:
    """The aggregates of these hosts change with this transaction; until it ends, nobody claims them."""
    connection.execute(sa.update(NODES).where(NODES.c.host.in_(sorted(names))).values(
        aggregates_generation=NODES.c.aggregates_generation + 1))


def all_of_them(connection) -> list[dict]:
    """The aggregates with their ``hosts``, in the order in which they were created."""
    found = rows.select(connection, TABLE)
    by_id: dict[int, list[str]] = {row["id"]: [] for row in found}
    for aggregate_id, host in connection.execute(sa.select(HOSTS.c.aggregate_id, HOSTS.c.host).order_by(HOSTS.c.host)):
        by_id.setdefault(aggregate_id, []).append(host)
    return [{**row, "hosts": by_id[row["id"]]} for row in found]


def get(connection, aggregate_id: int) -> dict:
    """An aggregate with its ``hosts``. :raises NotFound: there is none"""
    row = rows.find(connection, TABLE, aggregate_id)
    if row is None:
        raise errors.NotFound(f"Aggregate {aggregate_id} could not be found.")
    members = rows.select(connection, HOSTS, order_by="host", aggregate_id=aggregate_id)
    return {**row, "hosts": [member["host"] for member in members]}


def insert(connection, name: str, metadata: dict) -> dict:
    """:raises Conflict: there is one with this name"""
    row = {"uuid": context.new_uuid(), "name": name, "metadata": metadata, "created_at": db.now(), "updated_at": None}
    try:
        done = connection.execute(sa.insert(TABLE).values(row))
    except sa.exc.IntegrityError as error:
        raise errors.Conflict(f"Aggregate {name} already exists.", internal=str(error)) from error
    return {**row, "id": done.inserted_primary_key[0], "hosts": []}


def write(connection, aggregate: dict, **values) -> dict:
    """Change columns; returns the aggregate as it is then. :raises Conflict: there is another with this name"""
    values["updated_at"] = db.now()
    conflict = f"Aggregate {values['name']} already exists." if "name" in values else None
    rows.update(connection, TABLE, aggregate["id"], values, resource="Aggregate", conflict=conflict)
    return {**aggregate, **values}


def remove_host(connection, host: str) -> None:
    """Remove a host that is deleted from all aggregates."""
    lock(connection)
    rows.delete_where(connection, HOSTS, host=host)


def of_hosts(connection, names: list[str] | None = None) -> dict[str, list[dict]]:
    """{host: its aggregates, as {"id", "uuid", "name", "metadata"}}, of these hosts or of all, in one statement."""
    query = sa.select(HOSTS.c.host, TABLE.c.id, TABLE.c.uuid, TABLE.c.name, TABLE.c.metadata).join(
        TABLE, TABLE.c.id == HOSTS.c.aggregate_id).order_by(TABLE.c.id)
    found: dict[str, list[dict]] = {}
    for row in rows.many(connection, query if names is None else query.where(HOSTS.c.host.in_(names))):
        found.setdefault(row.pop("host"), []).append(row)
    return found


def zone_of(aggregates: list[dict], default: str) -> str:
    """The availability zone of a host in these aggregates."""
    return next((a["metadata"][ZONE] for a in aggregates if ZONE in a["metadata"]), default)


def number(of_host: list[dict], name: str, default: float) -> float:
    """The least number that these aggregates have under a name, or the default. What is no number is left out."""
    if not of_host:  # of most hosts, and the scheduler asks several times for each host and server
        return default
    found = []
    for aggregate in of_host:
        text = aggregate["metadata"].get(name)
        if text is not None:
            try:
                value = float(text)
            except ValueError:
                value = math.nan
            if math.isfinite(value):
                found.append(value)
            else:
                LOG.warning("%s of aggregate %s is no number", name, aggregate["name"])
    return min(found, default=default)


def host_zone(connection, host: str, default: str) -> str:
    """The availability zone of a host."""
    return zone_of(of_hosts(connection, [host]).get(host, []), default)


def services(connection, default_zone: str, **where) -> list[dict]:
    """Services by host, each with the ``zone`` that its host is in, in one statement."""
    query = sa.select(SERVICES, TABLE.c.metadata).select_from(SERVICES.outerjoin(
        HOSTS.join(TABLE, TABLE.c.id == HOSTS.c.aggregate_id), HOSTS.c.host == SERVICES.c.host))
    found: dict[str, dict] = {}  # a host in several aggregates is read several times
    for row in rows.many(connection, rows.where_equal(query, SERVICES, where).order_by(SERVICES.c.host)):
        metadata = row.pop("metadata") or {}
        row["zone"] = default_zone if row["binary"] == COMPUTE else INTERNAL_ZONE
        known = found.setdefault(row["id"], row)
        if ZONE in metadata and row["binary"] == COMPUTE:
            known["zone"] = metadata[ZONE]
    return list(found.values())


def servers_on(connection, names: list[str]) -> int:
    """The number of servers that hold a part of one of these hosts."""
    held = models.allocations
    query = sa.select(sa.func.count(sa.distinct(held.c.instance_uuid))).where(held.c.host.in_(names))
    return connection.execute(query).scalar() or 0
