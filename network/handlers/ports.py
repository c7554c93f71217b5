"""Ports: a MAC, addresses and filters on a network; bound to a host, they are plugged there."""

import ipaddress
import random
import re

import sqlalchemy as sa

from common import errors, rows, schema, wsgi
from network.db import addresses, groups, hosting, models, state
from network.handlers.networks import NETWORKS
from network.handlers.resource import REQUIRED, Attribute, Resource
from network.handlers.subnets import UNSET, parse

_IP = {"type": "string", "maxLength": 64}
_FIXED = {"type": ["array", "null"], "maxItems": 16, "items": schema.obj(
    {"subnet_id": {"type": "string", "maxLength": 36}, "ip_address": _IP})}
_PAIRS = {"type": ["array", "null"], "maxItems": 10, "items": schema.obj({"ip_address": _IP, "mac_address": _IP},
                                                                        ["ip_address"])}
# Values end up in dnsmasq's option file: no newline, comma or control character can be sent.
_OPTS = {"type": ["array", "null"], "maxItems": 20, "items": schema.obj(
    {"opt_name": {"type": "string", "pattern": "[a-z0-9-]{1,64}"}, "ip_version": {"enum": [4, 6, "4", "6"]},
     "opt_value": {"type": ["string", "null"], "pattern": r"[A-Za-z0-9 ._:/@+=-]{0,255}"}}, ["opt_name"])}
_MAC = re.compile(r"([0-9a-f]{2}:){5}[0-9a-f]{2}")
HOSTNAME = {"type": "string", "pattern": r"([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)?"}


def new_port(values: dict) -> dict:
    """Every column of a port, from those given."""
    octets = [0xFA, 0x16, 0x3E, *(random.randrange(256) for _ in range(3))]
    return {"mac_address": ":".join(f"{o:02x}" for o in octets), "admin_state_up": True, "status": "DOWN",
            "device_id": "", "device_owner": "", "binding_host_id": "", "binding_vnic_type": "normal",
            "binding_vif_type": "unbound", "binding_profile": {}, "port_security_enabled": True,
            "allowed_address_pairs": [], "extra_dhcp_opts": [], "dns_name": "",
            **{k: v for k, v in values.items() if v is not None}}


class Ports(Resource):
    singular, plural, kind, table, quota = "port", "ports", "Port", models.ports, "port"
    attributes = {
        "network_id": Attribute(schema.UUID, REQUIRED, update=False), "admin_state_up": Attribute(schema.BOOLEAN, True),
        "mac_address": Attribute({"type": "string", "maxLength": 32}, None),
        "fixed_ips": Attribute(_FIXED, UNSET), "device_id": Attribute({"type": "string", "maxLength": 255}, ""),
        "device_owner": Attribute({"type": "string", "maxLength": 255}, ""),
        "security_groups": Attribute({"type": ["array", "null"], "maxItems": 50, "items": schema.UUID}, UNSET),
        "binding:host_id": Attribute(schema.TEXT, None, admin=True),
        "binding:vnic_type": Attribute({"enum": ["normal"]}, "normal"),
        "binding:profile": Attribute({"type": ["object", "null"], "maxProperties": 32}, None, admin=True),
        "port_security_enabled": Attribute(schema.BOOLEAN, None), "allowed_address_pairs": Attribute(_PAIRS, None),
        "extra_dhcp_opts": Attribute(_OPTS, None), "dns_name": Attribute(HOSTNAME, "")}

    def view(self, row):
        same = ("network_id", "mac_address", "admin_state_up", "status", "device_id", "device_owner",
                "port_security_enabled", "allowed_address_pairs", "extra_dhcp_opts", "dns_name", "fixed_ips",
                "security_groups")
        return {**{k: row[k] for k in same}, "binding:host_id": row["binding_host_id"],
                "binding:vnic_type": row["binding_vnic_type"], "binding:vif_type": row["binding_vif_type"],
                "binding:vif_details": {"port_filter": True} if row["binding_vif_type"] == "bridge" else {},
                "binding:profile": row["binding_profile"], "qos_policy_id": None, "dns_assignment": []}

    def _shown(self, req, row):
        shown = super()._shown(req, row)
        if not (req.ctx.is_admin or req.ctx.is_service):
            for name in ("binding:host_id", "binding:profile", "binding:vif_type", "binding:vif_details"):
                shown.pop(name, None)
        return shown

    def complete(self, connection, found):
        return state.with_parts(connection, found)

    def insert(self, req, connection, values):
        network = NETWORKS.get(connection, req.ctx, values["network_id"])
        if not (network["project_id"] == req.ctx.project_id or network["shared"] or req.ctx.is_admin
                or req.ctx.is_service):
            raise errors.Forbidden(rule="create_port")
        wanted_ips, wanted_groups = values.pop("fixed_ips"), values.pop("security_groups")
        if values["mac_address"] is not None:
            values["mac_address"] = self._mac(values["mac_address"])
        values["admin_state_up"] = wsgi.bool_value(values["admin_state_up"])
        secure = values["port_security_enabled"]
        values["port_security_enabled"] = (network["port_security_enabled"] if secure is None
                                           else wsgi.bool_value(secure))
        port = new_port(values)
        port["allowed_address_pairs"] = self._pairs(port)
        if port["binding_host_id"]:
            port["binding_vif_type"] = "bridge"
        members = self._groups(req, connection, port, wanted_groups)
        rows.insert(connection, self.table, port, conflict=f"Unable to complete operation for network "
                    f"{network['id']}. The mac address {port['mac_address']} is in use.")
        port["fixed_ips"] = self._addresses(connection, port, wanted_ips)
        groups.add_members(connection, port["id"], members)
        return {**port, "security_groups": members}

    def _mac(self, text: str) -> str:
        mac = text.lower().replace("-", ":")
        if not _MAC.fullmatch(mac) or int(mac[:2], 16) & 1:
            raise errors.BadRequest(f"Invalid input for mac_address. Reason: '{text}' is not a valid MAC address.")
        return mac

    def _pairs(self, port) -> list[dict]:
        found = []
        for pair in port["allowed_address_pairs"] or []:
            net = parse(pair["ip_address"], ipaddress.ip_network, "allowed_address_pairs")
            mac = self._mac(pair.get("mac_address") or port["mac_address"])
            found.append({"ip_address": pair["ip_address"] if net else "", "mac_address": mac})
        if found and not port["port_security_enabled"]:
            raise errors.Conflict("Port security must be enabled in order to have allowed address pairs on a port.",
                                  kind="AddressPairAndPortSecurityRequired")
        return found

    def _groups(self, req, connection, port, wanted) -> list[str]:
        own_device = port["device_owner"].startswith("network:")
        if wanted in (UNSET, None):
            if own_device or not port["port_security_enabled"]:
                return []
            return [groups.ensure_default(connection, port["project_id"])]
        if wanted and not port["port_security_enabled"]:
            raise errors.Conflict("Port security must be enabled and port must have an IP address in order to use "
                                  "security groups.", kind="PortSecurityAndIPRequiredForSecurityGroups")
        if wanted:
            groups.check_usable(connection, req.ctx, wanted, port["project_id"])
        return sorted(set(wanted))

    def _subnets(self, connection, network_id: str) -> list[dict]:
        s = models.subnets
        return rows.many(connection, sa.select(s).where(s.c.network_id == network_id).order_by(s.c.created_at, s.c.id))

    def _addresses(self, connection, port, wanted) -> list[dict]:
        """Give a port the addresses asked for, or one of each IP version that the network has.

        A subnet whose hosts make their own address gives one beside that: a guest there has it whether we like it or not.
        """
        subnets = self._subnets(connection, port["network_id"])
        if wanted in (UNSET, None):
            found = []
            chosen = [s for s in subnets if s["ipv6_address_mode"] not in addresses.BY_HOST]
            for own in [[s for s in chosen if s["ip_version"] == v] for v in (4, 6)]:
                if own:
                    found.append(addresses.allocate(connection, port, own))
            found += [addresses.allocate(connection, port, [s]) for s in subnets if s not in chosen]
            return found
        return [self._fixed(connection, port, subnets, w) for w in wanted]

    def _fixed(self, connection, port, subnets, wanted) -> dict:
        candidates = [s for s in subnets if wanted.get("subnet_id") in (None, s["id"])]
        if "ip_address" not in wanted:
            if not candidates:
                raise errors.BadRequest(f"Invalid input for operation: Failed to create port on network "
                                        f"{port['network_id']}, because fixed_ips included invalid subnet "
                                        f"{wanted.get('subnet_id')}.")
            return addresses.allocate(connection, port, candidates)
        ip = parse(wanted["ip_address"], ipaddress.ip_address, "fixed_ips")
        fitting = [s for s in candidates if ip in ipaddress.ip_network(s["cidr"])]
        if not fitting:
            raise errors.BadRequest(f"Invalid input for operation: IP address {ip} is not a valid IP for any of the "
                                    f"subnets on the specified network.", kind="InvalidIpForNetwork")
        a = models.ip_allocations
        if connection.execute(sa.select(a.c.port_id).where(a.c.subnet_id == fitting[0]["id"],
                                                           a.c.ip_address == str(ip))).first():
            raise errors.Conflict(f"IP address {ip} already allocated in subnet {fitting[0]['id']}",
                                  kind="IpAddressAlreadyAllocated")
        return addresses.reserve(connection, port["id"], fitting[0], str(ip))

    def change(self, req, connection, old, values):
        port = {**old, **values}
        for flag in ("admin_state_up", "port_security_enabled"):
            if flag in values:
                values[flag] = port[flag] = wsgi.bool_value(values[flag])
        if "mac_address" in values:
            values["mac_address"] = self._mac(values["mac_address"])
        if "allowed_address_pairs" in values:
            values["allowed_address_pairs"] = self._pairs(port)
        if values.get("fixed_ips", UNSET) != UNSET:
            self._change_addresses(connection, old, values["fixed_ips"] or [])
        if "security_groups" in values:
            groups.set_members(connection, old["id"], self._groups(req, connection, port, values["security_groups"]))
        if "binding_host_id" in values:
            bound = bool(values["binding_host_id"])
            values.update(binding_host_id=values["binding_host_id"] or "",
                          binding_vif_type="bridge" if bound else "unbound")
            if not bound:
                values["status"] = "DOWN"
            if old["binding_host_id"] not in ("", values["binding_host_id"]):
                # Its agent must hear of it, or the tap stays until the next full pull.
                req.environ.setdefault("pileus.left_hosts", set()).add(old["binding_host_id"])
        for name in ("binding_profile", "extra_dhcp_opts"):
            if name in values and values[name] is None:
                values[name] = {} if name == "binding_profile" else []
        return values

    def _change_addresses(self, connection, old, wanted):
        keep = {(i["subnet_id"], i["ip_address"]) for i in old["fixed_ips"]
                if any(w.get("ip_address") == i["ip_address"] and w.get("subnet_id", i["subnet_id"]) == i["subnet_id"]
                       for w in wanted)}
        a = models.ip_allocations
        for ip in old["fixed_ips"]:
            if (ip["subnet_id"], ip["ip_address"]) not in keep:
                connection.execute(sa.delete(a).where(a.c.subnet_id == ip["subnet_id"],
                                                      a.c.ip_address == ip["ip_address"]))
        kept = {ip for _, ip in keep}
        self._addresses(connection, old, [w for w in wanted if w.get("ip_address") not in kept])

    def remove(self, req, connection, row):
        if row["device_owner"].startswith("network:") and row["device_owner"] != "network:dhcp" and row["device_id"]:
            raise errors.Conflict(f"Port {row['id']} cannot be deleted directly via the port API: has device owner "
                                  f"{row['device_owner']}.", kind="ServicePortInUse")
        remove_port(connection, row["id"])

    def after(self, req, verb, found):
        bound = [p for p in found if p["binding_host_id"] and p["device_owner"].startswith("compute:")]
        hosts = req.environ.get("pileus.left_hosts", set())
        if verb == "delete" or not bound:
            hosts = hosts | {p["binding_host_id"] for p in found if p["binding_host_id"]}
        if verb == "delete":
            with req.svc.db.reader() as connection:
                parts = hosting.spread(connection, sorted({p["network_id"] for p in found}),
                                       sorted({g for p in found for g in p["security_groups"]}))
            hosts = hosts.union(*parts.values())
        for host in sorted(hosts):
            req.svc.refresh_agents(req.ctx, host)
        if verb == "delete" or not bound:
            return found
        return [self._plug(req, p) if p in bound else p for p in found]

    def _plug(self, req, port: dict) -> dict:
        """Have the host's agent build the port now, and the network's DHCP know it; the caller starts a guest next."""
        host, network_id, group_ids = port["binding_host_id"], port["network_id"], port["security_groups"]
        with req.svc.db.reader() as connection:
            hosts = hosting.spread(connection, [network_id], group_ids)
            wanted: dict[str, dict] = {where: {"networks": state.network_details(connection, [network_id], where, hosts),
                              "ports": state.port_details([port], where), "groups": {}} for where in hosts[network_id]}
            wanted[host]["groups"] = state.group_details(connection, group_ids)
        for where in set(hosts[""]) - {host}:
            req.svc.refresh_agents(req.ctx, where)
        try:
            for where, part in wanted.items():
                if where == host or part["networks"][0]["serves"]:
                    req.svc.agents.plug(req.ctx, where, part, req.svc.conf.network.plug_timeout_s)
                elif where not in hosts[""]:
                    req.svc.refresh_agents(req.ctx, where)
            values = {"status": "ACTIVE", "binding_vif_type": "bridge"}
        except errors.Error as error:
            req.svc.log.warning("port %s could not be plugged on %s: %s %s", port["id"], port["binding_host_id"],
                                error, error.internal or "")
            values = {"status": "DOWN", "binding_vif_type": "binding_failed"}
        if any(port[k] != v for k, v in values.items()):
            with req.svc.db.writer() as connection:
                connection.execute(sa.update(self.table).where(self.table.c.id == port["id"]).values(values))
        return {**port, **values}

    def extra_filter(self, name, values):
        a, m = models.ip_allocations, models.port_security_groups
        if name == "fixed_ips":
            wanted = [sa.and_(*[a.c[k] == v for k, _, v in [w.partition("=")] if k in ("ip_address", "subnet_id")])
                      for w in values]
            return sa.and_(*[self.table.c.id.in_(sa.select(a.c.port_id).where(w)) for w in wanted])
        if name in ("security_groups", "security_group_id"):
            return self.table.c.id.in_(sa.select(m.c.port_id).where(m.c.security_group_id.in_(values)))
        return None


def remove_port(connection, port_id: str) -> None:
    """Give back a port's addresses, groups and floating IP. The row itself goes last, by the caller."""
    connection.execute(sa.update(models.floatingips).where(models.floatingips.c.port_id == port_id).values(
        port_id=None, fixed_ip_address=None, router_id=None, status="DOWN"))
    addresses.release(connection, port_id)
    groups.set_members(connection, port_id, [])


PORTS = Ports()
