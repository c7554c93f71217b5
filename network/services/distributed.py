"""Distributed routers, which are on every host with guests of their networks.

Packets between their networks go directly from host to host. Packets to the gateway go through the one host that has
it: there the router has a second port in each subnet (``network:router_centralized_snat``), which is the next hop of
all other hosts. See doc/design/distributed-routers.md.
"""

from common import errors, rows
from network import roles
from network.db import addresses, models, routers
from network.db import ports as port_rows

PORTS, SUBNETS = models.ports, models.subnets


def owner_of(router: dict) -> str:
    """The device owner of the router's interfaces."""
    return roles.DISTRIBUTED if router["distributed"] else roles.INTERFACE


def change(connection, router: dict, distributed: bool, up: bool) -> None:
    """Make a router distributed, or centralized on one host.

    :raises BadRequest: it is up: guests would lose packets
    """
    if distributed == router["distributed"]:
        return
    if router["admin_state_up"] or up:
        raise errors.BadRequest("Bad router request: Cannot change the 'distributed' attribute of active routers. Please set "
                                "router admin_state_up to False prior to the change.", kind="BadRouterRequest")
    rows.update(connection, models.routers, router["id"], {"distributed": distributed}, resource="Router")
    router["distributed"] = distributed
    routers.set_interface_owner(connection, router["id"], owner_of(router))


def settle(connection, router_id: str) -> None:
    """Create or delete the central ports of a router: one per subnet if it is distributed and has a gateway."""
    router = rows.get(connection, models.routers, router_id, resource="Router")
    found = routers.subnets_of(connection, router_id, roles.ROUTER_PORTS)
    central = router["distributed"] and router["gw_port_id"]
    wanted = {s["id"] for s in found if central and s["relation"] in roles.INTERFACES}
    have = {s["id"]: s["port_id"] for s in found if s["relation"] == roles.CENTRAL}
    for subnet_id in set(have) - wanted:
        port_rows.release(connection, have[subnet_id])
        rows.delete(connection, PORTS, have[subnet_id], resource="Port")
    for subnet_id in sorted(wanted - set(have)):
        subnet = rows.get(connection, SUBNETS, subnet_id, resource="Subnet")
        port = port_rows.device_port(subnet["network_id"], roles.CENTRAL, router_id)
        rows.insert(connection, PORTS, port)
        addresses.allocate(connection, port, [subnet])
