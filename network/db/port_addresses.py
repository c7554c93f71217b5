"""The addresses of ports: requested ones, automatic ones, and their changes when subnets are created and deleted.

On a subnet with automatic addresses (SLAAC, stateless DHCPv6) a guest derives its address from the prefix and its MAC, and uses
it in any case. So every port of the network is allocated that address, besides those it was given. Only the interfaces of routers
have none, because they have the gateway's address.
"""

import ipaddress

import sqlalchemy as sa

from common import errors, rows
from network import roles
from network.db import addresses, models, revisions
from network.protocols import slaac

ALLOCATIONS, PORTS, SUBNETS = models.ip_allocations, models.ports, models.subnets
UNSET = "unset"  # the client sent nothing; null means "none"
# Ports without automatic addresses. A floating IP has one address, of IPv4.
_WITHOUT_AUTOMATIC = (*roles.INTERFACES, roles.CENTRAL, roles.FLOATING)


def subnets_of(connection, network_id: str) -> list[dict]:
    """A network's subnets, the oldest first."""
    return rows.many(connection, sa.select(SUBNETS).where(SUBNETS.c.network_id == network_id).order_by(
        SUBNETS.c.created_at, SUBNETS.c.id))


def give(connection, port: dict, wanted) -> list[dict]:
    """Allocate the addresses of a new port: the requested ones, or one of each IP version of the network; and the automatic ones.

    :param wanted: [{"subnet_id"?, "ip_address"?}], or UNSET
    :returns: [{"subnet_id", "ip_address"}]
    """
    subnets = subnets_of(connection, port["network_id"])
    if wanted not in (UNSET, None):
        return _add(connection, port, subnets, wanted, set())
    chosen = [s for s in subnets if not addresses.is_automatic(s)]
    found = [addresses.allocate(connection, port, own) for own in ([s for s in chosen if s["ip_version"] == v] for v in (4, 6))
             if own]
    return found + _add(connection, port, subnets, [], set())


def _add(connection, port: dict, subnets: list[dict], wanted: list[dict], had: set[str]) -> list[dict]:
    """Allocate the wanted addresses, named ones first, and the automatic ones of all subnets except those in ``had``."""
    automatic = [] if port["relation"] in _WITHOUT_AUTOMATIC else [s for s in subnets if addresses.is_automatic(s)]
    implied = {s["id"] for s in automatic}
    found = [_fixed(connection, port, subnets, w) for w in sorted(wanted, key=lambda w: "ip_address" not in w)
             if "ip_address" in w or w.get("subnet_id") not in implied]
    had = had | {ip["subnet_id"] for ip in found}
    return found + [addresses.allocate(connection, port, [s]) for s in automatic if s["id"] not in had]


def _fixed(connection, port: dict, subnets: list[dict], wanted: dict) -> dict:
    """:raises BadRequest: the network has no such subnet or address; :raises Conflict: a port has the address"""
    if not wanted:
        raise errors.BadRequest("Invalid input for operation: IP allocation requires subnet_id or ip_address.",
                                kind="InvalidInput")
    candidates = [s for s in subnets if wanted.get("subnet_id") in (None, s["id"])]
    if "ip_address" not in wanted:
        if not candidates:
            raise errors.BadRequest(f"Invalid input for operation: Failed to create port on network {port['network_id']}, "
                                    f"because fixed_ips included invalid subnet {wanted.get('subnet_id')}.",
                                    kind="InvalidInput")
        return addresses.allocate(connection, port, candidates)
    ip = ipaddress.ip_address(wanted["ip_address"])
    fitting = [s for s in candidates if _can_have(ip, ipaddress.ip_network(s["cidr"]))]
    if not fitting:
        raise errors.BadRequest(f"Invalid input for operation: IP address {ip} is not a valid IP for any of the "
                                f"subnets on the specified network.", kind="InvalidIpForNetwork")
    _check_automatic(port, fitting[0], ip)
    _check_gateway(port, fitting[0], ip)
    if connection.execute(sa.select(ALLOCATIONS.c.port_id).where(ALLOCATIONS.c.subnet_id == fitting[0]["id"],
                                                                 ALLOCATIONS.c.ip_address == str(ip))).first():
        raise errors.Conflict(f"IP address {ip} already allocated in subnet {fitting[0]['id']}",
                              kind="IpAddressAlreadyAllocated")
    return addresses.reserve(connection, port["id"], fitting[0], str(ip))


def _can_have(ip, net) -> bool:
    """Whether a host of a subnet can have an address: it is inside, and not the network or broadcast address of IPv4."""
    ends = (net.network_address, net.broadcast_address) if net.version == 4 and net.num_addresses > 2 else ()
    return ip in net and ip not in ends


def _check_automatic(port: dict, subnet: dict, ip) -> None:
    """:raises BadRequest: a guest would not use this address, but the one that it derives itself"""
    if addresses.is_automatic(subnet) and port["relation"] not in roles.INTERFACES and str(ip) != slaac(
            subnet["cidr"], port["mac_address"]):
        raise errors.BadRequest(f"IPv6 address {ip} cannot be directly assigned to a port on subnet {subnet['id']} as the "
                                f"subnet is configured for automatic addresses", kind="AllocationOnAutoAddressSubnet")


def _check_gateway(port: dict, subnet: dict, ip) -> None:
    """Reserve the gateway address of a subnet for routers and for ports of the subnet's project.

    :raises Conflict: another port requests it
    """
    if str(ip) == subnet["gateway_ip"] and port["relation"] not in roles.INTERFACES and (
            port["project_id"] != subnet["project_id"] or port["relation"] in (roles.GATEWAY, roles.FLOATING)):
        raise errors.Conflict(f"IP address {ip} is the gateway of subnet {subnet['id']}.", kind="GatewayIpInUse")


def change(connection, port: dict, wanted: list[dict]) -> None:
    """Change the addresses of a port to those that are wanted. Addresses that are named again are kept; so is an address of a
    subnet that is named without an address, and so are automatic addresses, named or not.

    :raises Conflict: a floating IP uses an address that would be removed
    """
    subnets = subnets_of(connection, port["network_id"])
    left, new = list(port["fixed_ips"]), []
    for w in sorted(wanted, key=lambda w: "ip_address" not in w):
        same = next((ip for ip in left if w and all(ip[k] == v for k, v in w.items())), None)
        if same:
            left.remove(same)
        else:
            new.append(w)
    automatic = {s["id"] for s in subnets if addresses.is_automatic(s)}
    if port["relation"] not in _WITHOUT_AUTOMATIC:
        left = [ip for ip in left if ip["subnet_id"] not in automatic]
    f = models.floatingips
    for ip in left:
        if connection.execute(sa.select(f.c.id).where(f.c.port_id == port["id"],
                                                      f.c.fixed_ip_address == ip["ip_address"])).first():
            raise errors.Conflict(f"Fixed IP address {ip['ip_address']} of port {port['id']} cannot be removed: a floating "
                                  f"IP uses it.", kind="FixedIPInUseByFloatingIP")
        connection.execute(sa.delete(ALLOCATIONS).where(ALLOCATIONS.c.subnet_id == ip["subnet_id"],
                                                        ALLOCATIONS.c.ip_address == ip["ip_address"]))
    had = {ip["subnet_id"] for ip in port["fixed_ips"] if ip not in left}
    _add(connection, port, subnets, new, had)


def follow_mac(connection, port: dict, mac: str) -> list[dict]:
    """Replace the automatic addresses of a port by those for another MAC.

    :returns: all its addresses
    """
    changed = []
    for subnet in subnets_of(connection, port["network_id"]):
        old = [ip for ip in port["fixed_ips"] if ip["subnet_id"] == subnet["id"]]
        if addresses.is_automatic(subnet) and [ip["ip_address"] for ip in old] == [slaac(subnet["cidr"], port["mac_address"])]:
            connection.execute(sa.delete(ALLOCATIONS).where(ALLOCATIONS.c.subnet_id == subnet["id"],
                                                            ALLOCATIONS.c.port_id == port["id"]))
            changed.append(addresses.reserve(connection, port["id"], subnet, slaac(subnet["cidr"], mac)))
    again = {ip["subnet_id"] for ip in changed}
    return [ip for ip in port["fixed_ips"] if ip["subnet_id"] not in again] + changed


def allocate_for_subnet(connection, subnet: dict, *, external: bool) -> set[str]:
    """Allocate addresses of a new subnet to the existing ports of its network: its automatic addresses to all of them; on an
    external network, an address to each gateway of a router that has none of this IP version.

    :returns: the ids of the ports
    """
    own = PORTS.c.network_id == subnet["network_id"]
    if addresses.is_automatic(subnet):
        having = sa.select(ALLOCATIONS.c.port_id).where(ALLOCATIONS.c.subnet_id == subnet["id"])
        found = connection.execute(sa.select(PORTS.c.id, PORTS.c.mac_address).where(
            own, PORTS.c.relation.not_in(_WITHOUT_AUTOMATIC), PORTS.c.id.not_in(having))).all()
        if found:
            connection.execute(sa.insert(ALLOCATIONS), [
                {"subnet_id": subnet["id"], "ip_address": slaac(subnet["cidr"], mac), "port_id": i} for i, mac in found])
        changed = {i for i, _ in found}
    else:
        changed = _to_gateways(connection, subnet) if external else set()
    revisions.grow(connection, PORTS, *changed)
    return changed


def _to_gateways(connection, subnet: dict) -> set[str]:
    versions = {s["id"]: None if addresses.is_automatic(s) else s["ip_version"]
                for s in subnets_of(connection, subnet["network_id"])}
    ports = rows.many(connection, sa.select(PORTS).where(PORTS.c.network_id == subnet["network_id"],
                                                         PORTS.c.relation == roles.GATEWAY))
    held = addresses.of_ports(connection, [p["id"] for p in ports])
    without = [p for p in ports if subnet["ip_version"] not in {versions[ip["subnet_id"]] for ip in held[p["id"]]}]
    for port in without:
        addresses.allocate(connection, port, [subnet])
    r = models.routers
    revisions.grow(connection, r, *connection.execute(sa.select(r.c.id).where(
        r.c.gw_port_id.in_([p["id"] for p in without]))).scalars())
    return {p["id"] for p in without}


def release_for_subnet(connection, subnet: dict) -> set[str]:
    """Release the addresses of a subnet, except that of DHCP.

    :returns: the ids of the ports that had automatic ones
    :raises InUse: a port needs its address
    """
    held = sa.select(ALLOCATIONS.c.port_id, PORTS.c.relation).join(PORTS, PORTS.c.id == ALLOCATIONS.c.port_id).where(
        ALLOCATIONS.c.subnet_id == subnet["id"], PORTS.c.relation != roles.DHCP_PORT)
    automatic = addresses.is_automatic(subnet)
    found = connection.execute(held).all()
    if any(not automatic or relation in (*roles.INTERFACES, roles.CENTRAL) for _, relation in found):
        raise errors.InUse(f"Unable to complete operation on subnet {subnet['id']}: One or more ports have an IP "
                           f"allocation from this subnet.", kind="SubnetInUse")
    ids = {i for i, _ in found}
    connection.execute(sa.delete(ALLOCATIONS).where(ALLOCATIONS.c.subnet_id == subnet["id"], ALLOCATIONS.c.port_id.in_(ids)))
    revisions.grow(connection, PORTS, *ids)
    return ids
