"""Subnets: ranges of addresses, their gateway, pools, DNS and routes."""

import ipaddress

import sqlalchemy as sa

from common import errors, rows, schema, wsgi
from network import roles
from network.db import addresses, hosting, models
from network.db.groups import base
from network.handlers.networks import NETWORKS
from network.handlers.resource import REQUIRED, Attribute, Resource
from network.handlers.subnetpools import SUBNETPOOLS

_IP = {"type": "string", "maxLength": 64}
_POOLS = {"type": "array", "maxItems": 100, "items": schema.obj({"start": _IP, "end": _IP}, ["start", "end"])}
_ROUTES = {"type": "array", "maxItems": 20, "items": schema.obj({"destination": _IP, "nexthop": _IP},
                                                               ["destination", "nexthop"])}
UNSET = "unset"  # the client did not say; null means "none"


def parse(text: str, kind, what: str):
    """An address or network, or BadRequest; only this parser's output reaches a host."""
    try:
        return kind(text)
    except ValueError:
        raise errors.BadRequest(f"Invalid input for {what}. Reason: '{text}' is not valid.") from None


class Subnets(Resource):
    singular, plural, kind, table, quota = "subnet", "subnets", "Subnet", models.subnets, "subnet"
    attributes = {
        "network_id": Attribute(schema.UUID, REQUIRED, update=False),
        "ip_version": Attribute({"enum": [4, 6, "4", "6"]}, 4, update=False),
        "cidr": Attribute({"type": ["string", "null"], "maxLength": 64}, None, update=False),
        "subnetpool_id": Attribute({"type": ["string", "null"], "maxLength": 36}, None, update=False),
        "use_default_subnetpool": Attribute(schema.BOOLEAN, False, update=False),
        "prefixlen": Attribute(schema.integer(0, 128, null=True), None, update=False),
        "gateway_ip": Attribute({"type": ["string", "null"]}, UNSET),
        "enable_dhcp": Attribute(schema.BOOLEAN, True), "allocation_pools": Attribute(_POOLS, None),
        "dns_nameservers": Attribute({"type": "array", "maxItems": 5, "items": _IP}, []),
        "host_routes": Attribute(_ROUTES, []),
        "ipv6_ra_mode": Attribute({"enum": ["slaac", "dhcpv6-stateful", "dhcpv6-stateless", None]}, None, update=False),
        "ipv6_address_mode": Attribute({"enum": ["slaac", "dhcpv6-stateful", "dhcpv6-stateless", None]}, None,
                                       update=False)}

    @property
    def shared_filter(self):
        n = models.networks
        return self.table.c.network_id.in_(sa.select(n.c.id).where(n.c.shared))

    def view(self, row):
        shown = {k: row[k] for k in ("network_id", "ip_version", "cidr", "gateway_ip", "enable_dhcp",
                                     "allocation_pools", "dns_nameservers", "host_routes", "ipv6_ra_mode",
                                     "ipv6_address_mode")}
        return {**shown, "subnetpool_id": row["subnetpool_id"], "service_types": [], "segment_id": None}

    def insert(self, req, connection, values):
        network = NETWORKS.get(connection, req.ctx, values["network_id"])
        if network["project_id"] != req.ctx.project_id and not req.ctx.is_admin:
            raise errors.Forbidden(rule="create_subnet")
        values["ip_version"] = int(values["ip_version"])
        values["enable_dhcp"] = wsgi.bool_value(values["enable_dhcp"])
        self._take_from_pool(req, connection, values)
        net = parse(values["cidr"], ipaddress.ip_network, "cidr")
        if net.version != values["ip_version"]:
            raise errors.BadRequest("Invalid input for cidr: it is not of the given ip_version.")
        if net.prefixlen == 0 or net.is_multicast or net.is_loopback:
            raise errors.BadRequest(f"Invalid input for operation: {net} cannot be a subnet.")
        values["cidr"] = str(net)
        self._check_modes(values, net)
        self._check_overlap(connection, values["network_id"], net)
        if values["gateway_ip"] == UNSET:
            values["gateway_ip"] = str(net[1] if net.num_addresses > 2 else net[0])
        self._normalise(values, net, fill=True)
        values = {k: v for k, v in values.items() if k in self.table.c}
        rows.insert(connection, self.table, values)
        if values["enable_dhcp"]:
            self._ensure_dhcp(req, connection, network, values)
        return values

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
        if values["ipv6_address_mode"] in addresses.BY_HOST and net.prefixlen != 64:
            raise errors.BadRequest(f"Invalid input for operation: Invalid CIDR {net} for IPv6 address mode. OpenStack uses the "
                                    f"EUI-64 address format, which requires the prefix to be /64.")

    def _take_from_pool(self, req, connection, values):
        """Fill in ``cidr`` from the pool that was named; without a pool, it must have been given."""
        length = None if values["prefixlen"] is None else int(values["prefixlen"])
        if wsgi.bool_value(values["use_default_subnetpool"]):
            if values["subnetpool_id"]:
                raise errors.BadRequest("subnetpool_id and use_default_subnetpool cannot both be specified.")
            pool = SUBNETPOOLS.default(connection, req.ctx, values["ip_version"])
        elif values["subnetpool_id"]:
            pool = SUBNETPOOLS.get(connection, req.ctx, values["subnetpool_id"])
        elif values["cidr"] and length is None:
            return
        else:
            raise errors.BadRequest("Invalid input for operation: a subnetpool or a cidr is required, and a prefixlen goes "
                                    "with a subnetpool.")
        if values["cidr"] and length is not None:
            raise errors.BadRequest("cidr and prefixlen must not be supplied together.")
        if pool["ip_version"] != values["ip_version"]:
            raise errors.BadRequest("The subnet pool is of another IP version.")
        if values["cidr"]:
            parse(values["cidr"], ipaddress.ip_network, "cidr")
        values["cidr"] = SUBNETPOOLS.cut(connection, pool, values["project_id"], values["cidr"], length)
        values["subnetpool_id"] = pool["id"]

    def _check_overlap(self, connection, network_id, net):
        query = sa.select(self.table.c.cidr).where(self.table.c.network_id == network_id)
        for cidr in connection.execute(query).scalars():
            if ipaddress.ip_network(cidr).version == net.version and ipaddress.ip_network(cidr).overlaps(net):
                raise errors.BadRequest(f"Invalid input for operation: Requested subnet with cidr: {net} for network: "
                                        f"{network_id} overlaps with another subnet.")

    def _normalise(self, values, net, *, fill):
        """Parse every address a client sent, and complain in its words."""
        if values.get("gateway_ip"):
            gateway = parse(values["gateway_ip"], ipaddress.ip_address, "gateway_ip")
            if gateway.version != net.version:
                raise errors.BadRequest("Invalid input for gateway_ip: it is of another IP version.")
            values["gateway_ip"] = str(gateway)
        if values.get("allocation_pools"):
            values["allocation_pools"] = self._pools(values["allocation_pools"], net, values.get("gateway_ip"))
        elif fill:
            values["allocation_pools"] = addresses.default_pools(str(net), values["gateway_ip"])
        if values.get("dns_nameservers"):
            values["dns_nameservers"] = [str(parse(a, ipaddress.ip_address, "dns_nameservers"))
                                         for a in values["dns_nameservers"]]
        if values.get("host_routes"):
            values["host_routes"] = [
                {"destination": str(parse(r["destination"], ipaddress.ip_network, "host_routes")),
                 "nexthop": str(parse(r["nexthop"], ipaddress.ip_address, "host_routes"))}
                for r in values["host_routes"]]

    def _pools(self, pools, net, gateway):
        spans = []
        for pool in pools:
            start = parse(pool["start"], ipaddress.ip_address, "allocation_pools")
            end = parse(pool["end"], ipaddress.ip_address, "allocation_pools")
            if start not in net or end not in net or start > end:
                raise errors.BadRequest(f"The allocation pool {start}-{end} is not valid or not within the subnet.")
            if gateway and start <= ipaddress.ip_address(gateway) <= end:
                raise errors.Conflict(f"Gateway ip {gateway} conflicts with allocation pool {start}-{end}.",
                                      kind="GatewayConflictWithAllocationPools")
            spans.append((start, end))
        spans.sort()
        if any(a[1] >= b[0] for a, b in zip(spans, spans[1:])):
            raise errors.Conflict("The allocation pools overlap.", kind="OverlappingAllocationPools")
        return [{"start": str(a), "end": str(b)} for a, b in spans]

    def _ensure_dhcp(self, req, connection, network, subnet):
        """One DHCP port a network, with an address in each subnet that has DHCP, and one host that serves it."""
        if not network["dhcp_host"]:
            connection.execute(sa.update(models.networks).where(models.networks.c.id == network["id"]).values(
                dhcp_host=hosting.pick(connection, req.svc.conf, roles.DHCP)))
        p = models.ports
        port = rows.one(connection, sa.select(p).where(p.c.network_id == network["id"],
                                                       p.c.device_owner == "network:dhcp"))
        if port is None:
            from network.handlers.ports import new_port
            port = new_port({**base(network["project_id"]), "network_id": network["id"], "device_id": "dhcp",
                             "device_owner": "network:dhcp", "status": "ACTIVE", "port_security_enabled": False})
            rows.insert(connection, p, port)
        addresses.allocate(connection, port, [subnet])

    def change(self, req, connection, old, values):
        net = ipaddress.ip_network(old["cidr"])
        merged = {"gateway_ip": old["gateway_ip"], **values}
        self._normalise(merged, net, fill=False)
        values = {**values, **{k: merged[k] for k in values}}
        if "enable_dhcp" in values:
            values["enable_dhcp"] = wsgi.bool_value(values["enable_dhcp"])
            if values["enable_dhcp"] and not old["enable_dhcp"]:
                self._ensure_dhcp(req, connection, NETWORKS.get(connection, req.ctx, old["network_id"]), old)
            elif old["enable_dhcp"] and not values["enable_dhcp"]:
                self._drop_dhcp(connection, old["id"])
        return values

    def _drop_dhcp(self, connection, subnet_id):
        """Take the subnet's address from the DHCP port, and the port away when it was the last."""
        a, p = models.ip_allocations, models.ports
        held = sa.select(a.c.port_id).join(p, p.c.id == a.c.port_id).where(a.c.subnet_id == subnet_id,
                                                                          p.c.device_owner == "network:dhcp")
        port_ids = connection.execute(held).scalars().all()
        connection.execute(sa.delete(a).where(a.c.subnet_id == subnet_id, a.c.port_id.in_(port_ids)))
        left = sa.select(a.c.port_id).where(a.c.port_id.in_(port_ids))
        connection.execute(sa.delete(p).where(p.c.id.in_(port_ids), p.c.id.not_in(left)))

    def remove(self, req, connection, row):
        a, p = models.ip_allocations, models.ports
        held = sa.select(a.c.ip_address).join(p, p.c.id == a.c.port_id).where(
            a.c.subnet_id == row["id"], p.c.device_owner != "network:dhcp")
        if connection.execute(held).first():
            raise errors.InUse(f"Unable to complete operation on subnet {row['id']}: One or more ports have an IP "
                               f"allocation from this subnet.", kind="SubnetInUse")
        self._drop_dhcp(connection, row["id"])

    def after(self, req, verb, found):
        req.svc.refresh_agents(req.ctx)
        return found


SUBNETS = Subnets()
