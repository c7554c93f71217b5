"""Which subnets and networks routers reach, and by which ports."""

import sqlalchemy as sa

from common import db, rows
from network import roles
from network.db import models, ports

TABLE, PORTS, ALLOCATIONS, SUBNETS = models.routers, models.ports, models.ip_allocations, models.subnets
FLOATINGIPS = models.floatingips
# Hosts with guests translate the floating IPs of a distributed router, whichever host has its central part.
_FLOATING_STATUS = sa.case((sa.and_(TABLE.c.admin_state_up, sa.or_(TABLE.c.distributed, TABLE.c.host != "")), "ACTIVE"),
                           else_="DOWN")


def subnets_of(connection, router_id: str, relations=(*roles.INTERFACES, roles.GATEWAY)) -> list[dict]:
    """The subnets that a router has a port in, with ``port_id``, ``relation``, and ``held``: the port's address there."""
    return rows.many(connection, sa.select(
        SUBNETS, PORTS.c.id.label("port_id"), PORTS.c.relation, ALLOCATIONS.c.ip_address.label("held")).join(
        ALLOCATIONS, ALLOCATIONS.c.subnet_id == SUBNETS.c.id).join(PORTS, PORTS.c.id == ALLOCATIONS.c.port_id).where(
        ports.of_device(relations, router_id)))


def between(connection, subnet_id: str, external_network_id: str) -> tuple[str, str] | None:
    """The id of a router with an interface in a subnet and its gateway on an external network, and the status of a floating IP
    that it translates."""
    gateway = PORTS.alias()
    return connection.execute(
        sa.select(TABLE.c.id, _FLOATING_STATUS)
        .join(PORTS, sa.and_(PORTS.c.device_id == TABLE.c.id, PORTS.c.relation.in_(roles.INTERFACES)))
        .join(ALLOCATIONS, ALLOCATIONS.c.port_id == PORTS.c.id).join(gateway, gateway.c.id == TABLE.c.gw_port_id)
        .where(ALLOCATIONS.c.subnet_id == subnet_id, gateway.c.network_id == external_network_id)).first()


def settle_floating_ips(connection, router_id: str) -> None:
    """Set the status of a router's floating IPs, after it was assigned to a host, taken from it, or switched on or off."""
    connection.execute(sa.update(FLOATINGIPS).where(FLOATINGIPS.c.router_id == router_id).values(
        status=sa.select(_FLOATING_STATUS).where(TABLE.c.id == router_id).scalar_subquery()))


def serves_floating_ip(connection, router_id: str, subnet_id: str) -> bool:
    """Whether a router translates a floating IP to an address in a subnet."""
    return connection.execute(sa.select(FLOATINGIPS.c.id).join(ALLOCATIONS, sa.and_(
        ALLOCATIONS.c.port_id == FLOATINGIPS.c.port_id, ALLOCATIONS.c.ip_address == FLOATINGIPS.c.fixed_ip_address)).where(
        FLOATINGIPS.c.router_id == router_id, ALLOCATIONS.c.subnet_id == subnet_id).limit(1)).first() is not None


def set_interface_owner(connection, router_id: str, owner: str) -> None:
    """Make all interfaces of a router those of a distributed or of a central one."""
    connection.execute(sa.update(PORTS).where(ports.of_device(roles.INTERFACES, router_id)).values(
        device_owner=owner, relation=owner, revision_number=PORTS.c.revision_number + 1, updated_at=db.now()))
