"""Routers: interfaces on subnets, a gateway to an external network, static routes."""

import ipaddress

from common import errors, rows, schema, values, wsgi
from network import parsing, roles
from network.db import addresses, hosting, models, port_addresses, revisions, state
from network.db import ports as port_rows
from network.db import routers as queries
from network.handlers import distributed, preconditions
from network.handlers.networks import NETWORKS
from network.handlers.ports import PORTS
from network.handlers.resource import Attribute, Resource, flag
from network.handlers.subnets import SUBNETS

_IP, _ID = {"type": "string", "maxLength": 64}, {"type": "string", "maxLength": 36}
_GATEWAY = {"type": ["object", "null"], "properties": {
    "network_id": schema.UUID, "enable_snat": schema.BOOLEAN,
    "external_fixed_ips": {"type": "array", "maxItems": 4, "items": schema.obj(
        {"subnet_id": _ID, "ip_address": _IP})}}, "additionalProperties": False}
_ROUTES = {"type": ["array", "null"], "maxItems": 30, "items": schema.obj(
    {"destination": _IP, "nexthop": _IP}, ["destination", "nexthop"])}


class Routers(Resource):
    singular, plural, kind, table, quota = "router", "routers", "Router", models.routers, "router"
    more_filters = ("status", "enable_snat")
    attributes = {
        "admin_state_up": flag(True), "external_gateway_info": Attribute(_GATEWAY, None, parse=parsing.external_gateway),
        "routes": Attribute(_ROUTES, None, parse=parsing.routes), "distributed": flag(False, asked=True),
        "ha": Attribute({"enum": [False, None]}, None, asked=True)}

    def _values(self, req, given):
        if "routes" in given:
            raise errors.BadRequest("Attribute 'routes' not allowed in POST", kind="HTTPBadRequest")
        return super()._values(req, given)

    def view(self, row):
        return {"admin_state_up": row["admin_state_up"], "status": row["status"], "routes": row["routes"],
                "external_gateway_info": row["gateway"], "flavor_id": None, "availability_zones": ["nova"],
                "availability_zone_hints": [], "distributed": row["distributed"], "ha": False}

    def complete(self, connection, found):
        ids = [r["gw_port_id"] for r in found if r["gw_port_id"]]
        networks = port_rows.network_ids(connection, ids)
        ips = addresses.of_ports(connection, ids)
        return [{**r, "gateway": {"network_id": networks[r["gw_port_id"]], "enable_snat": r["enable_snat"],
                                  "external_fixed_ips": ips[r["gw_port_id"]]} if r["gw_port_id"] else None}
                for r in found]

    def insert(self, req, connection, values):
        info = values.pop("external_gateway_info")
        values.pop("ha")
        values.update(status="ACTIVE", gw_port_id=None, enable_snat=True, routes=[],
                      host=hosting.pick(connection, req.svc.conf, roles.L3))
        rows.insert(connection, self.table, values)
        if info:
            self._set_gateway(req, connection, values, info)
            distributed.settle(connection, values["id"])
        return self.complete(connection, [rows.get(connection, self.table, values["id"], resource="Router")])[0]

    def _set_gateway(self, req, connection, router, info):
        network = NETWORKS.get(connection, req, info.get("network_id") or "")
        if not network["router_external"]:
            raise errors.BadRequest(f"Bad router request: Network {network['id']} is not an external network.",
                                    kind="BadRouterRequest")
        if network["id"] != (router.get("gateway") or {}).get("network_id"):
            self._check_overlap(connection, router["id"], [ipaddress.ip_network(s["cidr"]) for s in
                                                           port_addresses.subnets_of(connection, network["id"])])
        self._clear_gateway(connection, router)
        self.ensure_host(req, connection, router)
        port = port_rows.device_port(network["id"], roles.GATEWAY, router["id"])
        rows.insert(connection, models.ports, port)
        port_addresses.give(connection, port, info.get("external_fixed_ips") or None)
        rows.update(connection, self.table, router["id"], {
            "gw_port_id": port["id"], "enable_snat": info.get("enable_snat", True)}, resource="Router")

    def ensure_host(self, req, connection, router) -> None:
        """A router that was taken from its agent is given to one again when it gets something to do."""
        if not router["host"]:
            router["host"] = hosting.pick(connection, req.svc.conf, roles.L3)
            rows.update(connection, self.table, router["id"], {"host": router["host"]}, resource="Router")

    def _clear_gateway(self, connection, router):
        if not router["gw_port_id"]:
            return
        if rows.exists(connection, models.floatingips, router_id=router["id"]):
            raise errors.Conflict(f"Gateway cannot be updated for router {router['id']}, since a gateway to external "
                                  f"network is required by one or more floating IPs.",
                                  kind="RouterExternalGatewayInUseByFloatingIp")
        rows.update(connection, self.table, router["id"], {"gw_port_id": None}, resource="Router")
        port_rows.release(connection, router["gw_port_id"])
        rows.delete(connection, models.ports, router["gw_port_id"], resource="Port")

    def change(self, req, connection, old, values):
        if "distributed" in values:
            distributed.change(connection, old, values.pop("distributed"), values.get("admin_state_up", False))
        changed = {"routes", "external_gateway_info"} & set(values)
        if "external_gateway_info" in values:
            self._change_gateway(req, connection, old, values, values.pop("external_gateway_info"))
        if changed:
            values["routes"] = self.checked_routes(connection, old["id"], values.get("routes", old["routes"]) or [])
        distributed.settle(connection, old["id"])
        return values

    def _change_gateway(self, req, connection, old, values, info) -> None:
        if info and "network_id" not in info and old["gateway"]:
            info = {"network_id": old["gateway"]["network_id"], **info}
        if not info:
            self._clear_gateway(connection, old)
        elif old["gateway"] and info.get("network_id") == old["gateway"]["network_id"]:
            values["enable_snat"] = info.get("enable_snat", True)
            if info.get("external_fixed_ips"):
                self._change_addresses(connection, old["gw_port_id"], info["external_fixed_ips"])
        elif not info.get("network_id"):
            raise errors.BadRequest("Invalid input for external_gateway_info. Reason: network_id is missing.")
        else:
            self._set_gateway(req, connection, old, info)
            values["enable_snat"] = info.get("enable_snat", True)

    @staticmethod
    def _change_addresses(connection, port_id: str, wanted: list[dict]) -> None:
        """Give the gateway other addresses; the port, and floating IPs that go over it, stay."""
        row = rows.get(connection, models.ports, port_id, resource="Port")
        before = state.with_parts(connection, [row])[0]
        port_addresses.change(connection, before, wanted)
        if state.with_parts(connection, [row])[0] != before:
            revisions.grow(connection, models.ports, port_id)

    def checked_routes(self, connection, router_id, routes: list[dict]) -> list[dict]:
        """The routes, if the router can reach their next hops as it is now.

        :raises BadRequest: it cannot
        """
        subnets = queries.subnets_of(connection, router_id, (*roles.INTERFACES, roles.GATEWAY))
        cidrs = [ipaddress.ip_network(s["cidr"]) for s in subnets]
        own = {s["held"] for s in subnets}
        for route in routes:
            if not any(ipaddress.ip_address(route["nexthop"]) in c for c in cidrs):
                raise errors.BadRequest(f"Invalid format for routes: {routes}, the nexthop is not connected with router",
                                        kind="InvalidRoutes")
            if route["nexthop"] in own:
                raise errors.BadRequest(f"Invalid format for routes: {routes}, the nexthop is used by router",
                                        kind="InvalidRoutes")
        return routes

    def _check_overlap(self, connection, router_id, nets: list, subnet_id: str = "") -> None:
        """:raises BadRequest: the router could not tell its networks apart"""
        for other in queries.subnets_of(connection, router_id):
            theirs = ipaddress.ip_network(other["cidr"])
            if subnet_id and other["id"] == subnet_id:
                raise errors.BadRequest(f"Bad router request: Router already has a port on subnet {subnet_id}.",
                                        kind="BadRouterRequest")
            clash = next((n for n in nets if n.version == theirs.version and n.overlaps(theirs)), None)
            if clash and (subnet_id or other["relation"] != roles.GATEWAY):
                of = f" of subnet {subnet_id}" if subnet_id else " of the external network"
                raise errors.BadRequest(f"Bad router request: Cidr {clash}{of} overlaps with cidr {theirs} of subnet "
                                        f"{other['id']}.", kind="BadRouterRequest")

    def remove(self, req, connection, row):
        if rows.exists(connection, models.ports, port_rows.of_device(roles.INTERFACES, row["id"])):
            raise errors.InUse(f"Router {row['id']} still has ports", kind="RouterInUse")
        self._clear_gateway(connection, row)

    def after(self, req, verb, found):
        for row in found:
            self.refresh(req, row)
        return found

    @staticmethod
    def refresh(req, row) -> None:
        """Tell the agents that have a part of a router."""
        req.svc.refresh_agents(req.ctx, None if row["distributed"] else row["host"])


ROUTERS = Routers()
_INTERFACE = schema.obj({"subnet_id": schema.UUID, "port_id": schema.UUID})


def _interface_view(router, port, subnet_id) -> dict:
    return {"id": router["id"], "project_id": router["project_id"], "tenant_id": router["project_id"],
            "network_id": port["network_id"], "port_id": port["id"], "subnet_id": subnet_id, "subnet_ids": [subnet_id],
            "tags": []}


def _begin(connection, req, id, body, rule: str) -> tuple[dict, dict]:
    """The router, and the ids of the body in canonical form."""
    router = ROUTERS.get(connection, req, id)
    ROUTERS.check(req, rule, router)
    preconditions.check(req, router)
    if not body:
        raise errors.BadRequest("Bad router request: Either subnet_id or port_id must be specified.", kind="BadRouterRequest")
    return router, {name: values.uuid(raw, name) for name, raw in body.items()}


def _free_port(connection, req, port_id: str) -> dict:
    """:raises NotFound, Conflict: the caller's project has no such port, or something has it"""
    port = PORTS.get(connection, req, port_id)
    if port["project_id"] != req.ctx.project_id and not req.svc.policy.is_admin(req.ctx):
        raise PORTS.absent(port_id)
    if port["relation"] or port["device_id"] or port["binding_host_id"]:
        raise errors.Conflict(f"Unable to complete operation on port {port_id} for network {port['network_id']}. Port already "
                              f"has an attached device {port['device_id']}.", kind="PortInUse")
    if not port["fixed_ips"]:
        raise errors.BadRequest("Bad router request: Router port must have at least one fixed IP.", kind="BadRouterRequest")
    return port


def _own_subnet(connection, req, subnet_id: str) -> dict:
    """A subnet whose gateway the caller's router may become.

    :raises BadRequest: it has no gateway's address, or is another project's
    """
    subnet = SUBNETS.get(connection, req, subnet_id)
    if not subnet["gateway_ip"]:
        raise errors.BadRequest("Bad router request: Subnet for router interface must have a gateway IP.",
                                kind="BadRouterRequest")
    if subnet["project_id"] != req.ctx.project_id and not req.svc.policy.is_admin(req.ctx):
        raise errors.BadRequest(f"Bad router request: Cannot add interface to router because subnet {subnet_id} is not owned by "
                                f"project making the request.", kind="BadRouterRequest")
    return subnet


def _ipv6_port(connection, router_id: str, subnet: dict) -> dict | None:
    """The port that the router has already for IPv6 subnets of a network: one has them all."""
    if subnet["ip_version"] != 6:
        return None
    known = next((s["port_id"] for s in queries.subnets_of(connection, router_id, roles.INTERFACES)
                  if s["network_id"] == subnet["network_id"] and s["ip_version"] == 6), None)
    return rows.get(connection, models.ports, known, resource="Port") if known else None


def _add(connection, req, id, body):
    router, given = _begin(connection, req, id, body, "add_router_interface")
    if len(given) > 1:
        raise errors.BadRequest("Bad router request: Cannot specify both subnet-id and port-id.", kind="BadRouterRequest")
    ROUTERS.ensure_host(req, connection, router)
    owner = {"device_id": id, "device_owner": distributed.owner_of(router), "relation": distributed.owner_of(router),
             "status": "ACTIVE"}
    if "port_id" in given:
        port = _free_port(connection, req, given["port_id"])
        subnets = [rows.get(connection, models.subnets, ip["subnet_id"], resource="Subnet") for ip in port["fixed_ips"]]
        for subnet in subnets:
            ROUTERS._check_overlap(connection, id, [ipaddress.ip_network(subnet["cidr"])], subnet["id"])
        rows.update(connection, models.ports, port["id"], owner, resource="Port")
        revisions.grow(connection, models.ports, port["id"])
        subnet = subnets[0]
    else:
        subnet = _own_subnet(connection, req, given["subnet_id"])
        ROUTERS._check_overlap(connection, id, [ipaddress.ip_network(subnet["cidr"])], subnet["id"])
        known = _ipv6_port(connection, id, subnet)
        port = known or port_rows.device_port(subnet["network_id"], owner["relation"], id, router["project_id"])
        if known is None:
            rows.insert(connection, models.ports, port)
        else:
            revisions.grow(connection, models.ports, known["id"])
        try:
            addresses.reserve(connection, port["id"], subnet, subnet["gateway_ip"])
        except addresses.Taken:
            raise errors.Conflict("The gateway address of the subnet is in use.", kind="IpAddressInUse") from None
    distributed.settle(connection, id)
    revisions.grow(connection, models.routers, id)
    return router, port, subnet


@wsgi.body(_INTERFACE)
def add_interface(req, id, body):
    router, port, subnet = req.svc.db.transact(_add, req, id, body)
    ROUTERS.refresh(req, router)
    return _interface_view(router, port, subnet["id"])


def _interface(connection, router_id: str, given: dict) -> tuple[dict, str]:
    """(the port of a router's interface, the id of the subnet that is meant)

    :raises NotFound, Conflict: there is none, or the port has nothing in the subnet
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
    """:raises Conflict: floating IPs or routes go over one of the subnets"""
    for subnet in subnets:
        if queries.serves_floating_ip(connection, router["id"], subnet["id"]):
            raise errors.Conflict(f"Router interface for subnet {subnet['id']} on router {router['id']} cannot be deleted, "
                                  f"as it is required by one or more floating IPs.", kind="RouterInterfaceInUseByFloatingIP")
        if any(ipaddress.ip_address(r["nexthop"]) in ipaddress.ip_network(subnet["cidr"]) for r in router["routes"]):
            raise errors.Conflict(f"Router interface for subnet {subnet['id']} on router {router['id']} cannot be deleted, as it "
                                  f"is required by one or more routes.", kind="RouterInterfaceInUseByRoute")


def _remove(connection, req, id, body):
    router, given = _begin(connection, req, id, body, "remove_router_interface")
    port, subnet_id = _interface(connection, id, given)
    held = [s for s in queries.subnets_of(connection, id, roles.INTERFACES) if s["port_id"] == port["id"]]
    gone = held if "subnet_id" not in given else [s for s in held if s["id"] == subnet_id]
    _check_unneeded(connection, router, gone)
    if len(gone) == len(held):
        port_rows.release(connection, port["id"])
        rows.delete(connection, models.ports, port["id"], resource="Port")
    else:
        rows.delete_where(connection, models.ip_allocations, port_id=port["id"], subnet_id=subnet_id)
        revisions.grow(connection, models.ports, port["id"])
    distributed.settle(connection, id)
    revisions.grow(connection, models.routers, id)
    return router, port, subnet_id


@wsgi.body(_INTERFACE)
def remove_interface(req, id, body):
    router, port, subnet_id = req.svc.db.transact(_remove, req, id, body)
    ROUTERS.refresh(req, router)
    return _interface_view(router, port, subnet_id)


def _change_routes(req, id, rule, edit):
    body = req.json_object().get("router", {})
    _CHECK_ROUTES(body)
    given = parsing.routes(body["routes"] or [], "routes")
    with req.svc.db.writer() as connection:
        router = ROUTERS.get(connection, req, id)
        ROUTERS.check(req, rule, router)
        preconditions.check(req, router)
        routes = ROUTERS.checked_routes(connection, id, edit(router["routes"], given))
        if routes != router["routes"]:
            rows.update(connection, models.routers, id, {"routes": routes}, resource="Router")
            revisions.grow(connection, models.routers, id)
        router = ROUTERS.get(connection, req, id)
    ROUTERS.refresh(req, router)
    return {"router": ROUTERS.shown(req, router)}


_CHECK_ROUTES = schema.compiled(schema.obj({"routes": _ROUTES}, ["routes"]))
MOST_ROUTES = 30


def _joined(old: list[dict], new: list[dict]) -> list[dict]:
    found = old + [r for r in new if r not in old]
    if len(found) > MOST_ROUTES:
        raise errors.BadRequest(f"Unable to complete operation: The number of routes exceeds the maximum {MOST_ROUTES}.",
                                kind="RoutesExhausted")
    return found


def add_routes(req, id):
    return _change_routes(req, id, "add_extraroutes", _joined)


def remove_routes(req, id):
    return _change_routes(req, id, "remove_extraroutes", lambda old, gone: [r for r in old if r not in gone])
