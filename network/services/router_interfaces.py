"""The interfaces of routers: their ports in the subnets that they connect."""

import ipaddress

from common import errors, rows, values
from common.calls import Call
from network import roles
from network.db import addresses, models, revisions
from network.db import ports as port_rows
from network.db import routers as queries
from network.services import distributed
from network.services.ports import PORTS
from network.services.routers import ROUTERS
from network.services.subnets import SUBNETS
from network.services.work import Work, commit


def _begin(work: Work, router_id: str, body: dict, rule: str, revision: int | None) -> tuple[dict, dict]:
    """The router, and the ids of the body in canonical form."""
    router = ROUTERS.get(work, router_id)
    ROUTERS.check(work, rule, router)
    revisions.check(router, revision)
    if not body:
        raise errors.BadRequest("Bad router request: Either subnet_id or port_id must be specified.", kind="BadRouterRequest")
    return router, {name: values.uuid(raw, name) for name, raw in body.items()}


def _free_port(work: Work, port_id: str) -> dict:
    """:raises NotFound, Conflict: the caller's project has no such port, or the port has a device"""
    port = PORTS.get(work, port_id)
    if port["project_id"] != work.ctx.project_id and not work.svc.policy.is_admin(work.ctx):
        raise PORTS.absent(port_id)
    if port["relation"] or port["device_id"] or port["binding_host_id"]:
        raise errors.Conflict(f"Unable to complete operation on port {port_id} for network {port['network_id']}. Port already "
                              f"has an attached device {port['device_id']}.", kind="PortInUse")
    if not port["fixed_ips"]:
        raise errors.BadRequest("Bad router request: Router port must have at least one fixed IP.", kind="BadRouterRequest")
    return port


def _own_subnet(work: Work, subnet_id: str) -> dict:
    """A subnet to which the caller's router may be connected.

    :raises BadRequest: it has no gateway address, or belongs to another project
    """
    subnet = SUBNETS.get(work, subnet_id)
    if not subnet["gateway_ip"]:
        raise errors.BadRequest("Bad router request: Subnet for router interface must have a gateway IP.",
                                kind="BadRouterRequest")
    if subnet["project_id"] != work.ctx.project_id and not work.svc.policy.is_admin(work.ctx):
        raise errors.BadRequest(f"Bad router request: Cannot add interface to router because subnet {subnet_id} is not owned by "
                                f"project making the request.", kind="BadRouterRequest")
    return subnet


def _ipv6_port(connection, router_id: str, subnet: dict) -> dict | None:
    """The port that the router has already for IPv6 subnets of a network: one port has all of them."""
    if subnet["ip_version"] != 6:
        return None
    known = next((s["port_id"] for s in queries.subnets_of(connection, router_id, roles.INTERFACES)
                  if s["network_id"] == subnet["network_id"] and s["ip_version"] == 6), None)
    return rows.get(connection, models.ports, known, resource="Port") if known else None


def _add(work: Work, router_id: str, body: dict, revision: int | None) -> tuple[dict, dict, str]:
    router, given = _begin(work, router_id, body, "add_router_interface", revision)
    if len(given) > 1:
        raise errors.BadRequest("Bad router request: Cannot specify both subnet-id and port-id.", kind="BadRouterRequest")
    ROUTERS.ensure_host(work, router)
    owner = {"device_id": router_id, "device_owner": distributed.owner_of(router), "relation": distributed.owner_of(router),
             "status": "ACTIVE"}
    if "port_id" in given:
        port = _free_port(work, given["port_id"])
        subnets = [rows.get(work.connection, models.subnets, ip["subnet_id"], resource="Subnet") for ip in port["fixed_ips"]]
        for subnet in subnets:
            ROUTERS.check_overlap(work.connection, router_id, [ipaddress.ip_network(subnet["cidr"])], subnet["id"])
        rows.update(work.connection, models.ports, port["id"], owner, resource="Port")
        revisions.grow(work.connection, models.ports, port["id"])
        subnet = subnets[0]
    else:
        subnet = _own_subnet(work, given["subnet_id"])
        ROUTERS.check_overlap(work.connection, router_id, [ipaddress.ip_network(subnet["cidr"])], subnet["id"])
        known = _ipv6_port(work.connection, router_id, subnet)
        port = known or port_rows.device_port(subnet["network_id"], owner["relation"], router_id, router["project_id"])
        if known is None:
            rows.insert(work.connection, models.ports, port)
        else:
            revisions.grow(work.connection, models.ports, known["id"])
        try:
            addresses.reserve(work.connection, port["id"], subnet, subnet["gateway_ip"])
        except addresses.Taken:
            raise errors.Conflict("The gateway address of the subnet is in use.", kind="IpAddressInUse") from None
    distributed.settle(work.connection, router_id)
    revisions.grow(work.connection, models.routers, router_id)
    work.changes.router(work.connection, router, network_ids={port["network_id"]})
    return router, port, subnet["id"]


def add(call: Call, router_id: str, given: dict, revision: int | None) -> tuple[dict, dict, str]:
    """Connect a router to a subnet, or to the subnets of a port.

    :param given: {"subnet_id"} or {"port_id"}, as the client sent it
    :param revision: only if the router has this revision
    :returns: the router, the port of the interface, and the id of its (first) subnet
    """
    return commit(call, _add, router_id, given, revision)[1]


def _interface(connection, router_id: str, given: dict) -> tuple[dict, str]:
    """(the port of a router's interface, the id of the subnet that is meant)

    :raises NotFound, Conflict: there is no such interface, or the port has no address in the subnet
    """
    own = queries.subnets_of(connection, router_id, roles.INTERFACES)
    found = [s for s in own if s["port_id"] == given.get("port_id", s["port_id"])]
    if found and "port_id" in given and given.get("subnet_id") not in (None, *[s["id"] for s in found]):
        raise errors.Conflict(f"Interface {given['port_id']} does not belong to subnet {given['subnet_id']}.",
                              kind="SubnetMismatchForPort")
    found = [s for s in found if s["id"] == given.get("subnet_id", s["id"])]
    if not found:
        what = " and ".join(f"{k.removesuffix('_id')} {v}" for k, v in sorted(given.items()))
        raise errors.NotFound(f"Router {router_id} does not have an interface on {what}.", kind="RouterInterfaceNotFound")
    return rows.get(connection, models.ports, found[0]["port_id"], resource="Port"), found[0]["id"]


def _check_unneeded(connection, router: dict, subnets: list[dict]) -> None:
    """:raises Conflict: floating IPs or routes need one of the subnets"""
    for subnet in subnets:
        if queries.serves_floating_ip(connection, router["id"], subnet["id"]):
            raise errors.Conflict(f"Router interface for subnet {subnet['id']} on router {router['id']} cannot be deleted, "
                                  f"as it is required by one or more floating IPs.", kind="RouterInterfaceInUseByFloatingIP")
        if any(ipaddress.ip_address(r["nexthop"]) in ipaddress.ip_network(subnet["cidr"]) for r in router["routes"]):
            raise errors.Conflict(f"Router interface for subnet {subnet['id']} on router {router['id']} cannot be deleted, as it "
                                  f"is required by one or more routes.", kind="RouterInterfaceInUseByRoute")


def _remove(work: Work, router_id: str, body: dict, revision: int | None) -> tuple[dict, dict, str]:
    router, given = _begin(work, router_id, body, "remove_router_interface", revision)
    port, subnet_id = _interface(work.connection, router_id, given)
    held = [s for s in queries.subnets_of(work.connection, router_id, roles.INTERFACES) if s["port_id"] == port["id"]]
    gone = held if "subnet_id" not in given else [s for s in held if s["id"] == subnet_id]
    _check_unneeded(work.connection, router, gone)
    if len(gone) == len(held):
        port_rows.release(work.connection, port["id"])
        rows.delete(work.connection, models.ports, port["id"], resource="Port")
    else:
        rows.delete_where(work.connection, models.ip_allocations, port_id=port["id"], subnet_id=subnet_id)
        revisions.grow(work.connection, models.ports, port["id"])
    distributed.settle(work.connection, router_id)
    revisions.grow(work.connection, models.routers, router_id)
    work.changes.router(work.connection, router, network_ids={port["network_id"]})
    return router, port, subnet_id


def remove(call: Call, router_id: str, given: dict, revision: int | None) -> tuple[dict, dict, str]:
    """Disconnect a router. Parameters and return value are those of ``add``; ``given`` may contain both ids."""
    return commit(call, _remove, router_id, given, revision)[1]
