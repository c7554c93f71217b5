"""Routers: interfaces on subnets, a gateway to an external network, static routes."""

import ipaddress

import sqlalchemy as sa

from common import db, errors, rows, schema, wsgi
from network import roles
from network.db import addresses, hosting, models
from network.db.groups import base
from network.handlers import distributed
from network.handlers.networks import NETWORKS
from network.handlers.ports import PORTS, new_port, remove_port
from network.handlers.resource import Attribute, Resource
from network.handlers.subnets import SUBNETS, parse

_GATEWAY = {"type": ["object", "null"], "properties": {
    "network_id": schema.UUID, "enable_snat": schema.BOOLEAN,
    "external_fixed_ips": {"type": "array", "maxItems": 4, "items": schema.obj(
        {"subnet_id": {"type": "string"}, "ip_address": {"type": "string"}})}}, "additionalProperties": False}
_ROUTES = {"type": ["array", "null"], "maxItems": 30, "items": schema.obj(
    {"destination": {"type": "string"}, "nexthop": {"type": "string"}}, ["destination", "nexthop"])}


class Routers(Resource):
    singular, plural, kind, table, quota = "router", "routers", "Router", models.routers, "router"
    attributes = {"admin_state_up": Attribute(schema.BOOLEAN, True), "external_gateway_info": Attribute(_GATEWAY, None),
                  "routes": Attribute(_ROUTES, None), "distributed": Attribute(schema.BOOLEAN, False, admin=True)}

    def view(self, row):
        return {"admin_state_up": row["admin_state_up"], "status": row["status"], "routes": row["routes"],
                "external_gateway_info": row["gateway"], "flavor_id": None, "availability_zones": ["nova"],
                "availability_zone_hints": [], "distributed": row["distributed"], "ha": False}

    def complete(self, connection, found):
        p = models.ports
        ids = [r["gw_port_id"] for r in found if r["gw_port_id"]]
        networks = dict(connection.execute(sa.select(p.c.id, p.c.network_id).where(p.c.id.in_(ids))).all()) \
            if ids else {}
        ips = addresses.of_ports(connection, ids)
        return [{**r, "gateway": {"network_id": networks[r["gw_port_id"]], "enable_snat": r["enable_snat"],
                                  "external_fixed_ips": ips[r["gw_port_id"]]} if r["gw_port_id"] else None}
                for r in found]

    def insert(self, req, connection, values):
        info = values.pop("external_gateway_info")
        values.update(admin_state_up=wsgi.bool_value(values["admin_state_up"]),
                      distributed=wsgi.bool_value(values["distributed"]), status="ACTIVE", gw_port_id=None,
                      enable_snat=True, routes=[], host=hosting.pick(connection, req.svc.conf, roles.L3))
        rows.insert(connection, self.table, values)
        if info:
            self._set_gateway(req, connection, values, info)
            distributed.settle(connection, values["id"])
        return self.complete(connection, [rows.get(connection, self.table, values["id"], resource="Router")])[0]

    def _set_gateway(self, req, connection, router, info):
        network = NETWORKS.get(connection, req.ctx, info.get("network_id") or "")
        if not network["router_external"]:
            raise errors.BadRequest(f"Bad router request: Network {network['id']} is not an external network.",
                                    kind="BadRouterRequest")
        self._clear_gateway(connection, router)
        self.ensure_host(req, connection, router)
        port = new_port({**base(""), "project_id": "", "network_id": network["id"], "device_id": router["id"],
                         "device_owner": "network:router_gateway", "status": "ACTIVE", "port_security_enabled": False})
        rows.insert(connection, models.ports, port)
        PORTS._addresses(connection, port, info.get("external_fixed_ips") or None)
        rows.update(connection, self.table, router["id"], {
            "gw_port_id": port["id"], "enable_snat": wsgi.bool_value(info.get("enable_snat", True))}, resource="Router")

    def ensure_host(self, req, connection, router) -> None:
        """A router that was taken from its agent is given to one again when it gets something to do."""
        if not router["host"]:
            router["host"] = hosting.pick(connection, req.svc.conf, roles.L3)
            rows.update(connection, self.table, router["id"], {"host": router["host"]}, resource="Router")

    def _clear_gateway(self, connection, router):
        if not router["gw_port_id"]:
            return
        f = models.floatingips
        if connection.execute(sa.select(f.c.id).where(f.c.router_id == router["id"])).first():
            raise errors.Conflict(f"Gateway cannot be updated for router {router['id']}, since a gateway to external "
                                  f"network is required by one or more floating IPs.",
                                  kind="RouterExternalGatewayInUseByFloatingIp")
        rows.update(connection, self.table, router["id"], {"gw_port_id": None}, resource="Router")
        remove_port(connection, router["gw_port_id"])
        rows.delete(connection, models.ports, router["gw_port_id"], resource="Port")

    def change(self, req, connection, old, values):
        if "distributed" in values:
            up = wsgi.bool_value(values.get("admin_state_up", False))
            distributed.change(connection, old, wsgi.bool_value(values.pop("distributed")), up)
        if "external_gateway_info" in values:
            info = values.pop("external_gateway_info")
            if not info:
                self._clear_gateway(connection, old)
            elif old["gateway"] and info.get("network_id") == old["gateway"]["network_id"] and \
                    "external_fixed_ips" not in info:
                values["enable_snat"] = wsgi.bool_value(info.get("enable_snat", True))
            else:
                self._set_gateway(req, connection, old, info)
        if "admin_state_up" in values:
            values["admin_state_up"] = wsgi.bool_value(values["admin_state_up"])
        if "routes" in values:
            values["routes"] = self._routes(connection, old, values["routes"] or [])
        distributed.settle(connection, old["id"])
        return values

    def _routes(self, connection, router, routes) -> list[dict]:
        cidrs = [ipaddress.ip_network(s["cidr"]) for s in self.subnets_of(connection, router["id"])]
        found = []
        for route in routes:
            target = parse(route["destination"], ipaddress.ip_network, "routes")
            hop = parse(route["nexthop"], ipaddress.ip_address, "routes")
            if not any(hop in c for c in cidrs):
                raise errors.BadRequest(f"Invalid format for routes: {routes}, the nexthop is not connected with router",
                                        kind="InvalidRoutes")
            found.append({"destination": str(target), "nexthop": str(hop)})
        return found

    def subnets_of(self, connection, router_id) -> list[dict]:
        p, a, s = models.ports, models.ip_allocations, models.subnets
        return rows.many(connection, sa.select(s, p.c.id.label("port_id")).join(a, a.c.subnet_id == s.c.id)
                         .join(p, p.c.id == a.c.port_id).where(p.c.device_id == router_id))

    def remove(self, req, connection, row):
        p = models.ports
        if connection.execute(sa.select(p.c.id).where(p.c.device_id == row["id"],
                                                      p.c.device_owner.in_(roles.INTERFACES))).first():
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


def _add(connection, req, id, body):
    router = ROUTERS.get(connection, req.ctx, id)
    req.svc.policy.check(req.ctx, "update_router", {"project_id": router["project_id"]})
    ROUTERS.ensure_host(req, connection, router)
    if ("subnet_id" in body) == ("port_id" in body):
        raise errors.BadRequest("Either subnet_id or port_id must be specified.", kind="BadRouterRequest")
    if "port_id" in body:
        port = PORTS.get(connection, req.ctx, body["port_id"])
        if port["device_id"] or len(port["fixed_ips"]) < 1:
            raise errors.Conflict(f"Port {port['id']} is in use or has no address.", kind="PortInUse")
        subnet = rows.get(connection, models.subnets, port["fixed_ips"][0]["subnet_id"], resource="Subnet")
    else:
        subnet, port = SUBNETS.get(connection, req.ctx, body["subnet_id"]), None
        if not subnet["gateway_ip"]:
            raise errors.BadRequest("Bad router request: Subnet for router interface must have a gateway IP.",
                                    kind="BadRouterRequest")
    net = ipaddress.ip_network(subnet["cidr"])
    for other in ROUTERS.subnets_of(connection, id):
        if ipaddress.ip_network(other["cidr"]).version == net.version and \
                ipaddress.ip_network(other["cidr"]).overlaps(net):
            raise errors.BadRequest(f"Bad router request: Cidr {net} of subnet {subnet['id']} overlaps with cidr "
                                    f"{other['cidr']} of subnet {other['id']}.", kind="BadRouterRequest")
    owner = {"device_id": id, "device_owner": distributed.owner_of(router), "status": "ACTIVE"}
    if port is None:
        port = new_port({**base(router["project_id"]), "network_id": subnet["network_id"], **owner,
                         "port_security_enabled": False})
        rows.insert(connection, models.ports, port)
        addresses.reserve(connection, port["id"], subnet, subnet["gateway_ip"])
    else:
        rows.update(connection, models.ports, port["id"], owner, resource="Port")
    distributed.settle(connection, id)
    return router, port, subnet


@wsgi.body(_INTERFACE)
def add_interface(req, id, body):
    try:
        router, port, subnet = req.svc.db.transact(_add, req, id, body)
    except addresses.Taken:
        raise errors.Conflict("The gateway address of the subnet is in use.", kind="IpAddressInUse") from None
    ROUTERS.refresh(req, router)
    return _interface_view(router, port, subnet["id"])


def _remove(connection, req, id, body):
    router = ROUTERS.get(connection, req.ctx, id)
    req.svc.policy.check(req.ctx, "update_router", {"project_id": router["project_id"]})
    p, a = models.ports, models.ip_allocations
    query = sa.select(p).where(p.c.device_id == id, p.c.device_owner.in_(roles.INTERFACES))
    if "port_id" in body:
        query = query.where(p.c.id == body["port_id"])
    else:
        query = query.join(a, a.c.port_id == p.c.id).where(a.c.subnet_id == body.get("subnet_id"))
    port = rows.one(connection, query)
    if port is None:
        raise errors.NotFound(f"Router {id} does not have an interface on the subnet or port given.",
                              kind="RouterInterfaceNotFound")
    ips = addresses.of_ports(connection, [port["id"]])[port["id"]]
    f = models.floatingips
    served = sa.select(f.c.id).join(a, sa.and_(a.c.port_id == f.c.port_id, a.c.ip_address == f.c.fixed_ip_address)).where(
        f.c.router_id == id, a.c.subnet_id.in_([i["subnet_id"] for i in ips]))
    if connection.execute(served).first():
        raise errors.Conflict(f"Router interface for subnet {ips[0]['subnet_id']} on router {id} cannot be deleted, "
                              f"as it is required by one or more floating IPs.",
                              kind="RouterInterfaceInUseByFloatingIP")
    remove_port(connection, port["id"])
    rows.delete(connection, p, port["id"], resource="Port")
    distributed.settle(connection, id)
    return router, port, ips[0]["subnet_id"] if ips else None


@wsgi.body(_INTERFACE)
def remove_interface(req, id, body):
    router, port, subnet_id = req.svc.db.transact(_remove, req, id, body)
    ROUTERS.refresh(req, router)
    return _interface_view(router, port, subnet_id)


def _change_routes(req, id, edit):
    body = req.json_object().get("router", {})
    schema.compiled(schema.obj({"routes": _ROUTES}, ["routes"]))(body)
    with req.svc.db.writer() as connection:
        router = ROUTERS.get(connection, req.ctx, id)
        req.svc.policy.check(req.ctx, "update_router", {"project_id": router["project_id"]})
        routes = edit(router["routes"], ROUTERS._routes(connection, router, body["routes"] or []))
        rows.update(connection, models.routers, id, {"routes": routes, "updated_at": db.now()}, resource="Router")
        router = ROUTERS.get(connection, req.ctx, id)
    ROUTERS.refresh(req, router)
    return {"router": ROUTERS._shown(req, router)}


def add_routes(req, id):
    return _change_routes(req, id, lambda old, new: old + [r for r in new if r not in old])


def remove_routes(req, id):
    return _change_routes(req, id, lambda old, gone: [r for r in old if r not in gone])


