"""Allocations and their servers, as the placement API shows them."""

import sqlalchemy as sa

from common import rows
from conductor.db import models

TABLE, NODES, INSTANCES = models.allocations, models.compute_nodes, models.instances


def of_server(connection, uuid: str) -> list[dict]:
    """A server's allocations with "provider" and "provider_generation" of their host, and "project_id", "user_id" and "attempt"
    of the server, which are None if there is none."""
    return rows.many(connection, sa.select(
        TABLE, NODES.c.id.label("provider"), NODES.c.generation.label("provider_generation"),
        INSTANCES.c.project_id, INSTANCES.c.user_id, INSTANCES.c.attempt).select_from(
        TABLE.join(NODES, NODES.c.host == TABLE.c.host).outerjoin(INSTANCES, INSTANCES.c.uuid == TABLE.c.instance_uuid)).where(
        TABLE.c.instance_uuid == uuid).order_by(TABLE.c.host))


def of_host(connection, host: str) -> list[dict]:
    """The allocations of a host with "attempt" of their server."""
    return rows.many(connection, sa.select(TABLE, INSTANCES.c.attempt).select_from(
        TABLE.outerjoin(INSTANCES, INSTANCES.c.uuid == TABLE.c.instance_uuid)).where(
        TABLE.c.host == host).order_by(TABLE.c.instance_uuid))


def sums(connection, project_id: str, user_id: str | None) -> dict:
    """{"vcpus", "memory_mb", "disk_gb", "servers"}: what the allocations of a project, or of one of its users, sum up to."""
    total = [sa.func.coalesce(sa.func.sum(TABLE.c[name]), 0).label(name) for name in ("vcpus", "memory_mb", "disk_gb")]
    of_user = [] if user_id is None else [INSTANCES.c.user_id == user_id]
    found = connection.execute(sa.select(*total, sa.func.count(sa.distinct(TABLE.c.instance_uuid)).label("servers")).select_from(
        TABLE.join(INSTANCES, INSTANCES.c.uuid == TABLE.c.instance_uuid)).where(
        INSTANCES.c.project_id == project_id, *of_user)).mappings().one()
    return {name: int(value) for name, value in found.items()}
