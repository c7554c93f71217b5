"""Addresses: allocation pools, and the choice and reservation of free addresses.

Two transactions that choose the same address meet at the primary key of ``ip_allocations``; the loser's unit starts again
(``Taken``). Choosing at random among the first free ones makes that rare.
"""

import ipaddress
import random

import sqlalchemy as sa

from common import errors, units
from network.db.models import ip_allocations as TABLE
from network.protocols import slaac

WINDOW = 64
BY_HOST = ("slaac", "dhcpv6-stateless")  # modes in which a host derives its address from prefix and MAC


class Taken(units.RetryUnit):
    """Another transaction took the address first."""


def is_automatic(subnet: dict) -> bool:
    """Whether every host on the network derives an address from the subnet's prefix, whoever sends the advertisements."""
    return subnet["ipv6_address_mode"] in BY_HOST or subnet["ipv6_ra_mode"] in BY_HOST


def hosts(net) -> tuple[int, int]:
    """The first and the last address that a host may be given: not the network's own, and not the broadcast of IPv4."""
    if net.num_addresses <= 2:
        return int(net[0]), int(net[-1])
    return int(net[0]) + 1, int(net[-1]) - (1 if net.version == 4 else 0)


def default_pools(cidr: str, gateway: str | None) -> list[dict]:
    """The whole subnet without network, broadcast and gateway addresses."""
    net = ipaddress.ip_network(cidr)
    first, last = hosts(net)
    skip = int(ipaddress.ip_address(gateway)) if gateway else None
    spans = [(first, last)]
    if skip is not None and first <= skip <= last:
        spans = [s for s in ((first, skip - 1), (skip + 1, last)) if s[0] <= s[1]]
    kind = ipaddress.ip_address(str(net[0])).__class__
    return [{"start": str(kind(a)), "end": str(kind(b))} for a, b in spans]


def _free(subnet: dict, used: set[int]) -> list[int]:
    """The first free addresses of the pools, at most WINDOW."""
    found: list[int] = []
    for pool in subnet["allocation_pools"]:
        address, end = int(ipaddress.ip_address(pool["start"])), int(ipaddress.ip_address(pool["end"]))
        while address <= end and len(found) < WINDOW:
            if address not in used:
                found.append(address)
            address += 1
    return found


def reserve(connection, port_id: str, subnet: dict, ip: str) -> dict:
    """Take one address.

    :raises Taken: it is in use
    """
    values = {"subnet_id": subnet["id"], "ip_address": ip, "port_id": port_id}
    try:
        connection.execute(sa.insert(TABLE).values(values))
    except sa.exc.IntegrityError as error:
        raise Taken() from error
    return {"subnet_id": subnet["id"], "ip_address": ip}


def allocate(connection, port: dict, subnets: list[dict]) -> dict:
    """Take a free address of the first subnet that has one.

    :returns: {"subnet_id", "ip_address"}
    :raises IpAddressGenerationFailure: all are full
    """
    for subnet in subnets:
        if is_automatic(subnet):
            return reserve(connection, port["id"], subnet, slaac(subnet["cidr"], port["mac_address"]))
        held = connection.execute(sa.select(TABLE.c.ip_address).where(TABLE.c.subnet_id == subnet["id"])).scalars()
        free = _free(subnet, {int(ipaddress.ip_address(a)) for a in held})
        if free:
            # While nobody competes, a server's first ports get consecutive addresses (…3, …4); reserve() decides
            # races.
            chosen = free[0] if len(free) < 8 else random.choice(free[:8])
            kind = ipaddress.IPv4Address if subnet["ip_version"] == 4 else ipaddress.IPv6Address
            return reserve(connection, port["id"], subnet, str(kind(chosen)))
    raise errors.IpAddressGenerationFailure(id=port["network_id"])


def of_ports(connection, port_ids: list[str]) -> dict[str, list[dict]]:
    """{port id: [{"subnet_id", "ip_address"}]} in one statement."""
    found: dict[str, list[dict]] = {p: [] for p in port_ids}
    if port_ids:
        query = sa.select(TABLE.c.port_id, TABLE.c.subnet_id, TABLE.c.ip_address).where(TABLE.c.port_id.in_(port_ids))
        for port_id, subnet_id, address in connection.execute(query.order_by(TABLE.c.subnet_id, TABLE.c.ip_address)):
            found[port_id].append({"subnet_id": subnet_id, "ip_address": address})
    return found


def release(connection, port_id: str) -> None:
    connection.execute(sa.delete(TABLE).where(TABLE.c.port_id == port_id))
