"""Ports: a MAC, addresses and filters on a network; bound to a host, they are plugged there."""

import ipaddress

import sqlalchemy as sa

from common import errors, rows, schema, values
from network import parsing, roles
from network.db import addresses, groups, hosting, models, state
from network.db import ports as port_rows
from network.handlers.networks import NETWORKS
from network.handlers.resource import REQUIRED, Attribute, Resource, flag
from network.handlers.subnets import SUBNETS, UNSET

_IP = {"type": "string", "maxLength": 64}
_FIXED = {"type": ["array", "null"], "maxItems": 16, "items": schema.obj(
    {"subnet_id": {"type": "string", "maxLength": 36}, "ip_address": _IP})}
_PAIRS = {"type": ["array", "null"], "maxItems": 10, "items": schema.obj({"ip_address": _IP, "mac_address": _IP},
                                                                        ["ip_address"])}
# Values end up in dnsmasq's option file: no newline, comma or control character can be sent.
_OPTS = {"type": ["array", "null"], "maxItems": 20, "items": schema.obj(
    {"opt_name": {"type": "string", "pattern": "[a-z0-9-]{1,64}"}, "ip_version": {"enum": [4, 6, "4", "6"]},
     "opt_value": {"type": ["string", "null"], "pattern": "[A-Za-z0-9 ._:/@+=-]{0,255}"}}, ["opt_name"])}
# What is changed of the port of a router or of DHCP, by anybody: the rest follows from the device.
_OF_DEVICES = ("name", "description", "admin_state_up", "dns_name", "fixed_ips")


class Ports(Resource):
    singular, plural, kind, table, quota = "port", "ports", "Port", models.ports, "port"
    attributes = {
        "network_id": Attribute(schema.UUID, REQUIRED, update=False, parse=values.uuid), "admin_state_up": flag(True),
        "mac_address": Attribute({"type": "string", "maxLength": 32}, None, parse=values.mac_address),
        "fixed_ips": Attribute(_FIXED, UNSET, parse=parsing.fixed_ips),
        "device_id": Attribute({"type": "string", "maxLength": 255}, "", parse=parsing.text),
        "device_owner": Attribute({"type": "string", "maxLength": 255}, "", parse=parsing.text),
        "security_groups": Attribute({"type": ["array", "null"], "maxItems": 50, "items": schema.UUID}, UNSET,
                                     parse=parsing.uuids),
        "binding:host_id": Attribute(schema.TEXT, None, parse=parsing.text),
        "binding:vnic_type": Attribute({"enum": ["normal"]}, "normal"),
        "binding:profile": Attribute({"type": ["object", "null"], "maxProperties": 32}, None),
        "port_security_enabled": flag(None), "allowed_address_pairs": Attribute(_PAIRS, None, parse=parsing.address_pairs),
        "extra_dhcp_opts": Attribute(_OPTS, None, parse=parsing.dhcp_options),
        "dns_name": Attribute({"type": "string", "maxLength": 63}, "", parse=parsing.label)}

    def view(self, row):
        same = ("network_id", "mac_address", "admin_state_up", "status", "device_id", "device_owner",
                "port_security_enabled", "allowed_address_pairs", "extra_dhcp_opts", "dns_name", "fixed_ips",
                "security_groups")
        return {**{k: row[k] for k in same}, "binding:host_id": row["binding_host_id"],
                "binding:vnic_type": row["binding_vnic_type"], "binding:vif_type": row["binding_vif_type"],
                "binding:vif_details": {"port_filter": True} if row["binding_vif_type"] == "bridge" else {},
                "binding:profile": row["binding_profile"], "qos_policy_id": None, "dns_assignment": []}

    def visible(self, ctx):
        """The owner of a network sees all that is on it."""
        n = models.networks
        return sa.or_(super().visible(ctx), self.table.c.network_id.in_(
            sa.select(n.c.id).where(n.c.project_id == ctx.project_id)))

    def target(self, req, connection, owner, given, row):
        network = NETWORKS.owner(connection, req.ctx, row["network_id"] if row else given["network_id"], known=row is not None)
        return {"project_id": owner, "network:project_id": network["project_id"], "network:shared": network["shared"],
                "network_device": given.get("device_owner", "").startswith("network:")}

    def complete(self, connection, found):
        return state.with_parts(connection, found)

    def insert(self, req, connection, values):
        network = NETWORKS.get(connection, req.ctx, values["network_id"])
        wanted_ips, wanted_groups = values.pop("fixed_ips"), values.pop("security_groups")
        if values["port_security_enabled"] is None:
            values["port_security_enabled"] = network["port_security_enabled"]
        values["relation"] = self._relation(req, connection, {**values, "relation": "", "device_id": ""}, values)
        port = port_rows.new_port(values)
        port["allowed_address_pairs"] = self._pairs(port)
        if port["binding_host_id"]:
            port["binding_vif_type"] = "bridge"
        members = self._groups(req, connection, port, wanted_groups)
        rows.insert(connection, self.table, port, conflict=f"Unable to complete operation for network "
                    f"{network['id']}. The mac address {port['mac_address']} is in use.")
        port["fixed_ips"] = self._addresses(connection, port, wanted_ips)
        groups.add_members(connection, port["id"], members)
        return {**port, "security_groups": members}

    def _relation(self, req, connection, old: dict, values: dict) -> str:
        """What the port becomes to us by a request that may set its device. Only the compute service makes it a server's.

        :raises Conflict: it is another device's, or the device is a router of another project
        """
        device, owner = (values.get(n, old[n]) for n in ("device_id", "device_owner"))
        if not port_rows.is_users(old["relation"]):
            if (device, owner) != (old["device_id"], old["device_owner"]):
                raise errors.Conflict(f"Port {old['id']} belongs to a device of the network service, of the kind "
                                      f"{old['relation']}: its device cannot be changed.", kind="PortInUse")
            return old["relation"]
        if req.ctx.is_service:
            if old["relation"] and device not in ("", old["device_id"]):
                raise errors.Conflict(f"Unable to complete operation on port {old['id']}: the device {old['device_id']} has it "
                                      f"already.", kind="PortInUse")
            return roles.SERVER if device and owner.startswith("compute:") else ""
        if old["relation"] and (device, owner) != (old["device_id"], old["device_owner"]):
            if device or not req.ctx.is_admin:
                raise errors.Conflict(f"Port {old['id']} is an interface of server {old['device_id']}: detach it there.",
                                      kind="PortInUse")
            return ""
        if not old["relation"] and not req.ctx.is_admin:
            self._check_router(connection, device, owner, old["project_id"])
        return old["relation"]

    @staticmethod
    def _check_router(connection, device: str, owner: str, project_id: str) -> None:
        """:raises Conflict: the text names a router of another project"""
        r = models.routers
        router = rows.one(connection, sa.select(r.c.project_id).where(r.c.id == device)) if device else None
        if router["project_id"] != project_id if router else device and owner in roles.INTERFACES:
            raise errors.Conflict(f"The following device_id {device} is not owned by your project or matches another "
                                  f"project's router.", kind="DeviceIDNotOwnedByTenant")

    def _pairs(self, port) -> list[dict]:
        found = [{"mac_address": port["mac_address"], **pair} for pair in port["allowed_address_pairs"] or []]
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
        ip = ipaddress.ip_address(wanted["ip_address"])
        fitting = [s for s in candidates if _can_have(ip, ipaddress.ip_network(s["cidr"]))]
        if not fitting:
            raise errors.BadRequest(f"Invalid input for operation: IP address {ip} is not a valid IP for any of the "
                                    f"subnets on the specified network.", kind="InvalidIpForNetwork")
        self._check_gateway(connection, port, fitting[0], ip)
        a = models.ip_allocations
        if connection.execute(sa.select(a.c.port_id).where(a.c.subnet_id == fitting[0]["id"],
                                                           a.c.ip_address == str(ip))).first():
            raise errors.Conflict(f"IP address {ip} already allocated in subnet {fitting[0]['id']}",
                                  kind="IpAddressAlreadyAllocated")
        return addresses.reserve(connection, port["id"], fitting[0], str(ip))

    @staticmethod
    def _check_gateway(connection, port, subnet, ip) -> None:
        """The address of a subnet's gateway is a router's, and else only for what belongs to the subnet's project.

        :raises Conflict: it was asked for
        """
        if str(ip) == subnet["gateway_ip"] and port["relation"] not in roles.INTERFACES and (
                port["project_id"] != subnet["project_id"] or port["relation"] in (roles.GATEWAY, roles.FLOATING)):
            raise errors.Conflict(f"IP address {ip} is the gateway of subnet {subnet['id']}.", kind="GatewayIpInUse")

    def change(self, req, connection, old, values):
        port = {**old, **values}
        values["relation"] = self._relation(req, connection, old, values)
        self._check_change(old, values)
        if "allowed_address_pairs" in values or not port["port_security_enabled"]:
            values["allowed_address_pairs"] = self._pairs(port)
        if values.get("fixed_ips", UNSET) != UNSET:
            self._change_addresses(connection, old, values["fixed_ips"] or [])
        if "security_groups" in values:
            groups.set_members(connection, old["id"], self._groups(req, connection, port, values["security_groups"]))
        elif not port["port_security_enabled"] and old["security_groups"]:
            raise errors.Conflict("Port has security group associated. Cannot disable port security or IP address until "
                                  "security group is removed.", kind="PortSecurityPortHasSecurityGroup")
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

    @staticmethod
    def _check_change(old, values) -> None:
        """:raises Conflict: the device that has the port needs it as it is"""
        if values.get("mac_address", old["mac_address"]) != old["mac_address"] and (
                old["relation"] or old["binding_host_id"]):
            raise errors.Conflict(f"Unable to complete operation on port {old['id']}, port is already bound, port type: "
                                  f"{old['binding_vif_type']}, old_mac {old['mac_address']}, new_mac {values['mac_address']}.",
                                  kind="PortBound")
        if port_rows.is_users(old["relation"]):
            return
        for name, value in values.items():
            kept = name in _OF_DEVICES or value == old.get(name)
            if name == "fixed_ips":
                before = sorted(i["subnet_id"] for i in old["fixed_ips"])
                kept = old["relation"] not in (roles.FLOATING, roles.CENTRAL) and before == sorted(
                    i.get("subnet_id", "") for i in value or [])
            if not kept:
                raise errors.Conflict(f"Port {old['id']} cannot be changed directly via the port API: has device owner "
                                      f"{old['device_owner']}.", kind="ServicePortInUse")

    def _change_addresses(self, connection, old, wanted):
        """Addresses that are named again stay; so does one of a subnet that is named without an address."""
        left, new = list(old["fixed_ips"]), []
        for w in sorted(wanted, key=lambda w: "ip_address" not in w):
            same = next((ip for ip in left if all(ip[k] == v for k, v in w.items())), None)
            if same and w:
                left.remove(same)
            else:
                new.append(w)
        f, a = models.floatingips, models.ip_allocations
        for ip in left:
            if connection.execute(sa.select(f.c.id).where(f.c.port_id == old["id"],
                                                          f.c.fixed_ip_address == ip["ip_address"])).first():
                raise errors.Conflict(f"Fixed IP address {ip['ip_address']} of port {old['id']} cannot be removed: a floating "
                                      f"IP uses it.", kind="FixedIPInUseByFloatingIP")
            connection.execute(sa.delete(a).where(a.c.subnet_id == ip["subnet_id"], a.c.ip_address == ip["ip_address"]))
        self._addresses(connection, old, new)

    def remove(self, req, connection, row):
        if not port_rows.is_users(row["relation"]) and row["relation"] != roles.DHCP_PORT:
            raise errors.Conflict(f"Port {row['id']} cannot be deleted directly via the port API: has device owner "
                                  f"{row['device_owner']}.", kind="ServicePortInUse")
        port_rows.release(connection, row["id"])

    def _delete_one(self, connection, req, row_id):
        row = super()._delete_one(connection, req, row_id)
        if row["relation"] == roles.DHCP_PORT:
            SUBNETS.restore_dhcp(req, connection, row["network_id"])
        return row

    def after(self, req, verb, found):
        bound = [p for p in found if p["binding_host_id"] and p["relation"] == roles.SERVER]
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
            req.svc.db.transact(sa.Connection.execute, sa.update(self.table).where(self.table.c.id == port["id"]).values(values))
        return {**port, **values}

    def extra_filter(self, name, values):
        a, m = models.ip_allocations, models.port_security_groups
        if name == "fixed_ips":
            form = {"ip_address": parsing.stored(parsing.address), "subnet_id": parsing.description}
            wanted = [sa.and_(*[a.c[k] == form[k](v, k) for k, _, v in [w.partition("=")] if k in form]) for w in values]
            return sa.and_(*[self.table.c.id.in_(sa.select(a.c.port_id).where(w)) for w in wanted])
        if name in ("security_groups", "security_group_id"):
            return self.table.c.id.in_(sa.select(m.c.port_id).where(m.c.security_group_id.in_(values)))
        return None


def _can_have(ip, net) -> bool:
    """Whether a host of a subnet can have an address: it is inside, and of IPv4 neither end."""
    ends = (net.network_address, net.broadcast_address) if net.version == 4 and net.num_addresses > 2 else ()
    return ip in net and ip not in ends


PORTS = Ports()
