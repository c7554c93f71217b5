"""Subnets: address ranges with a gateway, allocation pools, DNS servers and routes."""

import ipaddress

from common import errors, rows, schema, values, wsgi
from network import parsing, roles
from network.db import addresses, hosting, models, networks, port_addresses, revisions
from network.db import ports as port_rows
from network.db import subnets as queries
from network.db.port_addresses import UNSET
from network.services.listing import column
from network.services.networks import MIN_IPV6_MTU, NETWORKS
from network.services.resource import REQUIRED, Attribute, Resource, flag
from network.services.subnetpools import SUBNETPOOLS

_IP = {"type": "string", "maxLength": 64}
_POOLS = {"type": ["array", "null"], "maxItems": 100, "items": schema.obj({"start": _IP, "end": _IP}, ["start", "end"])}
_ROUTES = {"type": ["array", "null"], "maxItems": 20, "items": schema.obj({"destination": _IP, "nexthop": _IP},
                                                               ["destination", "nexthop"])}
_MAPPED = ipaddress.ip_network("::ffff:0:0/96")


class Subnets(Resource):
    singular, plural, kind, table, quota = "subnet", "subnets", "Subnet", models.subnets, "subnet"
    attributes = {
        "network_id": Attribute(schema.UUID, REQUIRED, update=False, parse=values.uuid),
        "ip_version": Attribute({"enum": [4, 6, "4", "6"]}, 4, update=False, parse=values.integer),
        "cidr": Attribute({"type": ["string", "null"], "maxLength": 64}, None, update=False,
                          parse=lambda raw, what: parsing.cidr(raw, what, host_bits=True)),
        "subnetpool_id": Attribute({"type": ["string", "null"], "maxLength": 36}, None, update=False, parse=values.uuid),
        "use_default_subnetpool": flag(False, update=False),
        "prefixlen": Attribute(schema.integer(0, 128, null=True), None, update=False, parse=parsing.between(0, 128)),
        "gateway_ip": Attribute({"type": ["string", "null"], "maxLength": 64}, UNSET, parse=parsing.address),
        "enable_dhcp": flag(True), "allocation_pools": Attribute(_POOLS, None, parse=parsing.pools),
        "dns_nameservers": Attribute({"type": ["array", "null"], "maxItems": 5, "items": _IP}, [], parse=parsing.name_servers),
        "host_routes": Attribute(_ROUTES, [], parse=parsing.routes),
        "ipv6_ra_mode": Attribute({"enum": ["slaac", "dhcpv6-stateful", "dhcpv6-stateless", None]}, None, update=False),
        "ipv6_address_mode": Attribute({"enum": ["slaac", "dhcpv6-stateful", "dhcpv6-stateless", None]}, None,
                                       update=False),
        # Unsupported attributes: clients may send the value that stands for "not used".
        "segment_id": Attribute({"enum": [None]}, None), "service_types": Attribute({"enum": [[], None]}, None, asked=True)}

    @property
    def shared_filter(self):
        return networks.on_open_network(self.table)

    def view(self, row):
        shown = {k: row[k] for k in ("network_id", "ip_version", "cidr", "gateway_ip", "enable_dhcp",
                                     "allocation_pools", "dns_nameservers", "host_routes", "ipv6_ra_mode",
                                     "ipv6_address_mode")}
        return {**shown, "subnetpool_id": row["subnetpool_id"], "service_types": [], "segment_id": None,
                "router:external": row["network"]["router_external"]}

    def visible(self, call):
        """The owner of a network sees all subnets on it."""
        return rows.any_of(super().visible(call), networks.on_network_of(self.table, call.ctx.project_id))

    def complete(self, connection, found):
        return networks.with_network(connection, found)

    def target_of(self, row):
        return {"project_id": row["project_id"], **NETWORKS.target_on(row["network"]),
                "subnet:router:external": row["network"]["router_external"]}

    def target(self, work, owner, given, row):
        network = row["network"] if row else NETWORKS.get(work, given["network_id"])
        return {"project_id": owner, **NETWORKS.target_on(network)}

    def insert(self, work, values):
        network = NETWORKS.get(work, values["network_id"])
        self._take_from_pool(work, values)
        net = values["cidr"]
        if net.version != values["ip_version"]:
            raise errors.BadRequest(f"Invalid input for operation: ip_version {values['ip_version']} does not match cidr {net}.")
        self._check_possible(net, values["enable_dhcp"])
        if net.version == 6 and network["mtu"] < MIN_IPV6_MTU:
            raise errors.Conflict(f"MTU of {network['id']} is not valid, subnet requires a minimum of {MIN_IPV6_MTU}",
                                  kind="NetworkMTUSubnetConflict")
        values["cidr"] = str(net)
        for name in ("dns_nameservers", "host_routes"):
            values[name] = values[name] or []
        self._check_modes(values, net)
        self._check_overlap(work.connection, values["network_id"], net)
        if values["gateway_ip"] == UNSET:
            values["gateway_ip"] = str(net[1] if net.num_addresses > 2 else net[0])
        self._normalise(values, net, fill=True)
        values = {k: v for k, v in values.items() if k in self.table.c}
        rows.insert(work.connection, self.table, values)
        if values["enable_dhcp"]:
            self._ensure_dhcp(work, network, values)
        work.report(*port_addresses.allocate_for_subnet(work.connection, values, external=network["router_external"]))
        revisions.grow(work.connection, models.networks, network["id"])
        return {**values, "network": network}

    @staticmethod
    def _check_possible(net, dhcp: bool) -> None:
        """:raises BadRequest: no host can have an address in it"""
        # ::ffff:0:0/96 represents IPv4 addresses: no host has such an address, and programs write them in several
        # ways.
        mapped = net.version == 6 and net.overlaps(_MAPPED)
        if net.prefixlen == 0 or net.is_multicast or net.is_loopback or not int(net.network_address) or mapped:
            raise errors.BadRequest(f"Invalid input for operation: {net} cannot be a subnet.")
        if dhcp and net.prefixlen > net.max_prefixlen - 2:
            raise errors.BadRequest(f"Invalid input for operation: Invalid CIDR {net}: a subnet with DHCP needs at least two "
                                    "usable addresses.")

    def _check_modes(self, values, net):
        given = [values[n] for n in ("ipv6_ra_mode", "ipv6_address_mode") if values[n]]
        if given and net.version != 6:
            raise errors.BadRequest("Invalid input for operation: ipv6_ra_mode or ipv6_address_mode cannot be set when "
                                    "ip_version is not 6.")
        if given and not values["enable_dhcp"]:
            raise errors.BadRequest("Invalid input for operation: ipv6_ra_mode or ipv6_address_mode cannot be set when "
                                    "enable_dhcp is set to False.")
        if len(set(given)) > 1:
            raise errors.BadRequest(f"Invalid input for operation: ipv6_ra_mode set to '{values['ipv6_ra_mode']}' with "
                                    f"ipv6_address_mode set to '{values['ipv6_address_mode']}' is not valid. If both "
                                    f"attributes are set, they must be the same value.")
        if addresses.is_automatic(values) and net.prefixlen != 64:
            raise errors.BadRequest(f"Invalid input for operation: Invalid CIDR {net} for IPv6 address mode. OpenStack uses the "
                                    f"EUI-64 address format, which requires the prefix to be /64.")

    def _take_from_pool(self, work, values):
        """Fill in ``cidr`` from the requested pool; without a pool, the request must contain one."""
        length = values["prefixlen"]
        if values["use_default_subnetpool"]:
            if values["subnetpool_id"]:
                raise errors.BadRequest("subnetpool_id and use_default_subnetpool cannot both be specified.")
            pool = SUBNETPOOLS.default(work, values["ip_version"])
        elif values["subnetpool_id"]:
            pool = SUBNETPOOLS.get(work, values["subnetpool_id"])
        elif values["cidr"] and length is None:
            return
        else:
            raise errors.BadRequest("Invalid input for operation: either subnetpool_id or cidr is required, and prefixlen "
                                    "requires a subnet pool.")
        if values["cidr"] and length is not None:
            raise errors.BadRequest("cidr and prefixlen must not be supplied together.")
        if pool["ip_version"] != values["ip_version"]:
            raise errors.BadRequest("The subnet pool has a different IP version.")
        wanted = str(values["cidr"]) if values["cidr"] else None
        values["cidr"] = ipaddress.ip_network(SUBNETPOOLS.cut(work.connection, pool, values["project_id"], wanted, length))
        values["subnetpool_id"] = pool["id"]

    def _check_overlap(self, connection, network_id, net):
        for subnet in rows.select(connection, self.table, network_id=network_id):
            other = ipaddress.ip_network(subnet["cidr"])
            if other.version == net.version and other.overlaps(net):
                raise errors.BadRequest(f"Invalid input for operation: Requested subnet with cidr: {net} for network: "
                                        f"{network_id} overlaps with another subnet.")

    def _normalise(self, values, net, *, fill):
        """Check the addresses against each other and the subnet; with ``fill``, set the default pools of a new one."""
        if values.get("gateway_ip"):
            self._check_gateway(ipaddress.ip_address(values["gateway_ip"]), net)
        if values.get("allocation_pools"):
            values["allocation_pools"] = self._pools(values["allocation_pools"], net, values.get("gateway_ip"))
        elif fill:
            values["allocation_pools"] = addresses.default_pools(str(net), values["gateway_ip"])
        for what, found in [("dns_nameservers", a) for a in values.get("dns_nameservers") or []] + [
                ("host_routes", r["nexthop"]) for r in values.get("host_routes") or []]:
            if ipaddress.ip_address(found).version != net.version:
                raise errors.BadRequest(f"Invalid input for operation: '{found}' in {what} is not an IPv{net.version} address.")

    @staticmethod
    def _check_gateway(gateway, net) -> None:
        """:raises BadRequest: no host in the subnet could reach it"""
        if gateway.version != net.version:
            raise errors.BadRequest(f"Invalid input for operation: gateway_ip '{gateway}' is not an IPv{net.version} address.")
        # As in OpenStack, a gateway may be outside of the subnet; hosts then need a route to it.
        ends = {net.network_address, net.broadcast_address} if net.version == 4 and net.num_addresses > 2 else set()
        if gateway in ends or gateway.is_multicast or gateway.is_loopback or gateway.is_unspecified:
            raise errors.BadRequest(f"Invalid input for operation: Gateway {gateway} is not valid on subnet {net}.")

    def _pools(self, pools, net, gateway):
        spans = []
        first, last = addresses.hosts(net)
        for pool in pools:
            start, end = ipaddress.ip_address(pool["start"]), ipaddress.ip_address(pool["end"])
            if start.version != net.version or not first <= int(start) <= int(end) <= last:
                raise errors.BadRequest(f"The allocation pool {start}-{end} is not valid or not within the subnet.")
            spans.append((start, end))
        self._check_outside(gateway, pools)
        spans.sort()
        if any(a[1] >= b[0] for a, b in zip(spans, spans[1:])):
            raise errors.Conflict("The allocation pools overlap.", kind="OverlappingAllocationPools")
        return [{"start": str(a), "end": str(b)} for a, b in spans]

    @staticmethod
    def _check_outside(gateway: str | None, pools: list[dict]) -> None:
        """:raises Conflict: the gateway's address would be given to a port"""
        for pool in pools if gateway else []:
            start, at, end = (int(ipaddress.ip_address(a)) for a in (pool["start"], gateway or "", pool["end"]))
            if start <= at <= end:
                raise errors.Conflict(f"Gateway ip {gateway} conflicts with allocation pool {pool['start']}-{pool['end']}.",
                                      kind="GatewayConflictWithAllocationPools")

    def extra_filter(self, name, values):
        if name in ("shared", "router:external"):
            return networks.on_network_with(self.table, column(name), [wsgi.bool_value(v) for v in values])
        if name == "segment_id":  # no subnet has one
            return rows.ALL if "" in values else rows.NONE
        return None

    def _ensure_dhcp(self, work, network, subnet):
        """Ensure one DHCP port per network, with an address in each subnet that has DHCP, and one host that serves it."""
        if not network["dhcp_host"]:
            host = hosting.choose_host(work.connection, work.svc.conf, roles.DHCP)
            rows.update(work.connection, models.networks, network["id"], {"dhcp_host": host}, resource="Network")
        port = rows.first(work.connection, models.ports, network_id=network["id"], relation=roles.DHCP_PORT)
        if port is None:
            port = port_rows.device_port(network["id"], roles.DHCP_PORT, "dhcp", network["project_id"])
            rows.insert(work.connection, models.ports, port)
        addresses.allocate(work.connection, port, [subnet])

    def restore_dhcp(self, work, network_id: str) -> None:
        """A DHCP port was deleted: create another, with addresses in all subnets that have DHCP."""
        network = rows.get(work.connection, models.networks, network_id, resource="Network")
        for subnet in rows.select(work.connection, self.table, order_by="created_at", network_id=network_id, enable_dhcp=True):
            self._ensure_dhcp(work, network, subnet)

    def change(self, work, old, values):
        net = ipaddress.ip_network(old["cidr"])
        for name in ("dns_nameservers", "host_routes"):
            if name in values:
                values[name] = values[name] or []
        if values.get("allocation_pools", []) is None:
            del values["allocation_pools"]
        merged = {"gateway_ip": old["gateway_ip"], **values}
        self._normalise(merged, net, fill=False)
        values = {**values, **{k: merged[k] for k in values}}
        if "gateway_ip" in values:
            self._check_outside(values["gateway_ip"], values.get("allocation_pools") or old["allocation_pools"])
            self._check_gateway_unused(work.connection, old, values["gateway_ip"])
        if "enable_dhcp" in values:
            if not values["enable_dhcp"] and (old["ipv6_ra_mode"] or old["ipv6_address_mode"]):
                raise errors.BadRequest("Invalid input for operation: Cannot disable enable_dhcp with ipv6 attributes set.",
                                        kind="InvalidInput")
            if values["enable_dhcp"] and not old["enable_dhcp"]:
                network = rows.get(work.connection, models.networks, old["network_id"], resource="Network")
                self._ensure_dhcp(work, network, old)
            elif old["enable_dhcp"] and not values["enable_dhcp"]:
                queries.remove_dhcp(work.connection, old["id"])
        if any(name in old and old[name] != value for name, value in values.items()):  # some attributes have no column
            revisions.grow(work.connection, models.networks, old["network_id"])
        return values

    def _check_gateway_unused(self, connection, old, gateway) -> None:
        """:raises Conflict: a router uses the gateway address, or a port has the new one"""
        held = queries.relations(connection, old["id"], [old["gateway_ip"] or "", gateway or ""])
        if gateway != old["gateway_ip"] and held.get(old["gateway_ip"]) in roles.INTERFACES:
            raise errors.Conflict(f"Current gateway ip {old['gateway_ip']} already in use by a router. Unable to update.",
                                  kind="GatewayIpInUse")
        if gateway != old["gateway_ip"] and gateway in held:
            raise errors.Conflict(f"IP address {gateway} is in use by a port of the subnet.", kind="IpAddressInUse")

    def remove(self, work, row):
        work.report(*port_addresses.release_for_subnet(work.connection, row))
        queries.remove_dhcp(work.connection, row["id"])
        revisions.grow(work.connection, models.networks, row["network_id"])

    def concern(self, work, before, after):
        for network_id in {row["network_id"] for row in [*before, *after]}:
            work.changes.network(work.connection, network_id)
        work.changes.readdressed(work.connection, work.reported)

    def after(self, work, verb, found):
        work.svc.ports_changed(work.reported)
        return found


SUBNETS = Subnets()
