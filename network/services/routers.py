"""Routers: interfaces on subnets, a gateway to an external network, static routes."""

import ipaddress
import typing

from common import errors, rows, schema
from common.calls import Call
from network import parsing, roles
from network.db import addresses, hosting, models, port_addresses, revisions, state
from network.db import ports as port_rows
from network.db import routers as queries
from network.services import distributed
from network.services.networks import NETWORKS
from network.services.resource import Attribute, Resource, flag
from network.services.work import Work, commit

_IP, _ID = {"type": "string", "maxLength": 64}, {"type": "string", "maxLength": 36}
_GATEWAY = {"type": ["object", "null"], "properties": {
    "network_id": schema.UUID, "enable_snat": schema.BOOLEAN,
    "external_fixed_ips": {"type": "array", "maxItems": 4, "items": schema.obj(
        {"subnet_id": _ID, "ip_address": _IP})}}, "additionalProperties": False}
MAX_ROUTES = 30
ROUTES = {"type": ["array", "null"], "maxItems": MAX_ROUTES, "items": schema.obj(
    {"destination": _IP, "nexthop": _IP}, ["destination", "nexthop"])}


class Routers(Resource):
    singular, plural, kind, table, quota = "router", "routers", "Router", models.routers, "router"
    more_filters = ("status", "enable_snat")
    attributes = {
        "admin_state_up": flag(True), "external_gateway_info": Attribute(_GATEWAY, None, parse=parsing.external_gateway),
        "routes": Attribute(ROUTES, None, parse=parsing.routes), "distributed": flag(False, asked=True),
        "ha": Attribute({"enum": [False, None]}, None, asked=True)}

    def checked(self, call, given):
        if "routes" in given:
            raise errors.BadRequest("Attribute 'routes' not allowed in POST", kind="HTTPBadRequest")
        return super().checked(call, given)

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

    def insert(self, work, values):
        info = values.pop("external_gateway_info")
        values.pop("ha")
        values.update(status="ACTIVE", gw_port_id=None, enable_snat=True, routes=[],
                      host=hosting.choose_host(work.connection, work.svc.conf, roles.L3))
        rows.insert(work.connection, self.table, values)
        if info:
            self._set_gateway(work, values, info)
            distributed.settle(work.connection, values["id"])
        return self.complete(work.connection, [rows.get(work.connection, self.table, values["id"], resource="Router")])[0]

    def _set_gateway(self, work, router, info):
        network = NETWORKS.get(work, info.get("network_id") or "")
        if not network["router_external"]:
            raise errors.BadRequest(f"Bad router request: Network {network['id']} is not an external network.",
                                    kind="BadRouterRequest")
        if network["id"] != (router.get("gateway") or {}).get("network_id"):
            self.check_overlap(work.connection, router["id"], [ipaddress.ip_network(s["cidr"]) for s in
                                                           port_addresses.subnets_of(work.connection, network["id"])])
        self._clear_gateway(work.connection, router)
        self.ensure_host(work, router)
        port = port_rows.device_port(network["id"], roles.GATEWAY, router["id"])
        rows.insert(work.connection, models.ports, port)
        port_addresses.give(work.connection, port, info.get("external_fixed_ips") or None)
        rows.update(work.connection, self.table, router["id"], {
            "gw_port_id": port["id"], "enable_snat": info.get("enable_snat", True)}, resource="Router")

    def ensure_host(self, work, router) -> None:
        """Assign a router that was removed from its agent to an agent again, when it gets an interface or gateway."""
        if not router["host"]:
            router["host"] = hosting.choose_host(work.connection, work.svc.conf, roles.L3)
            rows.update(work.connection, self.table, router["id"], {"host": router["host"]}, resource="Router")
            queries.settle_floating_ips(work.connection, router["id"])

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

    def change(self, work, old, values):
        if "distributed" in values:
            distributed.change(work.connection, old, values.pop("distributed"), values.get("admin_state_up", False))
        changed = {"routes", "external_gateway_info"} & set(values)
        if "external_gateway_info" in values:
            self._change_gateway(work, old, values, values.pop("external_gateway_info"))
        if changed:
            values["routes"] = self.checked_routes(work.connection, old["id"], values.get("routes", old["routes"]) or [])
        distributed.settle(work.connection, old["id"])
        return values

    def _change_gateway(self, work, old, values, info) -> None:
        if info and "network_id" not in info and old["gateway"]:
            info = {"network_id": old["gateway"]["network_id"], **info}
        if not info:
            self._clear_gateway(work.connection, old)
        elif old["gateway"] and info.get("network_id") == old["gateway"]["network_id"]:
            values["enable_snat"] = info.get("enable_snat", True)
            if info.get("external_fixed_ips"):
                self._change_addresses(work.connection, old["gw_port_id"], info["external_fixed_ips"])
        elif not info.get("network_id"):
            raise errors.BadRequest("Invalid input for external_gateway_info. Reason: network_id is missing.")
        else:
            self._set_gateway(work, old, info)
            values["enable_snat"] = info.get("enable_snat", True)

    @staticmethod
    def _change_addresses(connection, port_id: str, wanted: list[dict]) -> None:
        """Change the addresses of the gateway; its port, and the floating IPs that use it, are kept."""
        row = rows.get(connection, models.ports, port_id, resource="Port")
        before = state.with_parts(connection, [row])[0]
        port_addresses.change(connection, before, wanted)
        if state.with_parts(connection, [row])[0] != before:
            revisions.grow(connection, models.ports, port_id)

    def checked_routes(self, connection, router_id, routes: list[dict]) -> list[dict]:
        """The routes, if the router can reach their next hops.

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

    def check_overlap(self, connection, router_id, nets: list, subnet_id: str = "") -> None:
        """:raises BadRequest: the prefixes of two of the router's networks overlap"""
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

    def remove(self, work, row):
        if rows.exists(work.connection, models.ports, port_rows.of_device(roles.INTERFACES, row["id"])):
            raise errors.InUse(f"Router {row['id']} still has ports", kind="RouterInUse")
        self._clear_gateway(work.connection, row)

    def concern(self, work, before, after):
        if not before or not after:
            for row in [*before, *after]:
                work.changes.router(work.connection, row, network_ids=_external(row))
        for old, new in zip(before, after):
            if any(old[k] != new[k] for k in ("distributed", "admin_state_up")):
                queries.settle_floating_ips(work.connection, new["id"])
            moved = any(old[k] != new[k] for k in ("host", "distributed", "gw_port_id"))
            if moved or any(old[k] != new[k] for k in ("routes", "admin_state_up", "enable_snat", "gateway")):
                for row in (old, new) if moved else (new,):
                    work.changes.router(work.connection, row, legs=moved, network_ids=_external(row))

    def change_routes(self, call: Call, router_id: str, rule: str, edit: typing.Callable, revision: int | None) -> dict:
        """Change the static routes of a router.

        :param edit: function from the current routes to the new ones
        :param revision: only if the router has this revision
        :returns: the router as the caller sees it
        """
        router = commit(call, self._change_routes, router_id, rule, edit, revision)[1]
        return self.shown(call, router)

    def _change_routes(self, work: Work, router_id: str, rule: str, edit: typing.Callable, revision: int | None) -> dict:
        router = self.get(work, router_id)
        self.check(work, rule, router)
        revisions.check(router, revision)
        routes = self.checked_routes(work.connection, router_id, edit(router["routes"]))
        if routes != router["routes"]:
            rows.update(work.connection, self.table, router_id, {"routes": routes}, resource="Router")
            revisions.grow(work.connection, self.table, router_id)
            work.changes.router(work.connection, router, legs=False)
        return self.get(work, router_id)


def _external(router: dict) -> set[str]:
    """The id of the network of a router's gateway."""
    return {router["gateway"]["network_id"]} if router["gateway"] else set()


def with_routes(new: list[dict]) -> typing.Callable[[list[dict]], list[dict]]:
    """An ``edit`` that adds routes."""
    def edit(old: list[dict]) -> list[dict]:
        found = old + [r for r in new if r not in old]
        if len(found) > MAX_ROUTES:
            raise errors.BadRequest(f"Unable to complete operation: The number of routes exceeds the maximum {MAX_ROUTES}.",
                                    kind="RoutesExhausted")
        return found
    return edit


ROUTERS = Routers()
