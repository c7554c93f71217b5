"""Subnets: their use, and the port that serves DHCP in them."""

import sqlalchemy as sa

from common import rows
from network import roles
from network.db import models

TABLE, PORTS, ALLOCATIONS = models.subnets, models.ports, models.ip_allocations


def with_use(connection) -> list[dict]:
    """All subnets, each with the number of addresses in use as ``used``."""
    return rows.many(connection, sa.select(TABLE, sa.func.count(ALLOCATIONS.c.ip_address).label("used")).outerjoin(
        ALLOCATIONS, ALLOCATIONS.c.subnet_id == TABLE.c.id).group_by(TABLE.c.id))


def relations(connection, subnet_id: str, addresses: list[str]) -> dict[str, str]:
    """{address: the relation of the port that has it} of those of these addresses that are in use."""
    return dict(connection.execute(sa.select(ALLOCATIONS.c.ip_address, PORTS.c.relation).join(
        PORTS, PORTS.c.id == ALLOCATIONS.c.port_id).where(
        ALLOCATIONS.c.subnet_id == subnet_id, ALLOCATIONS.c.ip_address.in_(addresses))).all())


def remove_dhcp(connection, subnet_id: str) -> None:
    """Take the subnet's address from the DHCP port, and delete the port if that was its last address."""
    held = sa.select(ALLOCATIONS.c.port_id).join(PORTS, PORTS.c.id == ALLOCATIONS.c.port_id).where(
        ALLOCATIONS.c.subnet_id == subnet_id, PORTS.c.relation == roles.DHCP_PORT)
    port_ids = list(connection.execute(held).scalars())
    rows.delete_where(connection, ALLOCATIONS, subnet_id=subnet_id, port_id=port_ids)
    left = sa.select(ALLOCATIONS.c.port_id).where(ALLOCATIONS.c.port_id.in_(port_ids))
    connection.execute(sa.delete(PORTS).where(PORTS.c.id.in_(port_ids), PORTS.c.id.not_in(left)))
