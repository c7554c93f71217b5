"""Ports: a MAC, addresses and filters on a network. A port that is bound to a host is plugged there."""

import sqlalchemy as sa

from common import db, errors, rows, schema, values
from network import parsing, roles
from network.db import bindings, deltas, groups, hosting, models, networks, port_addresses, state
from network.db import ports as port_rows
from network.db.port_addresses import UNSET
from network.services.networks import NETWORKS
from network.services.resource import REQUIRED, Attribute, Resource, flag
from network.services.subnets import SUBNETS

_IP = {"type": "string", "maxLength": 64}
_FIXED = {"type": ["array", "null"], "maxItems": 16, "items": schema.obj(
    {"subnet_id": {"type": "string", "maxLength": 36}, "ip_address": _IP})}
_PAIRS = {"type": ["array", "null"], "maxItems": 10, "items": schema.obj({"ip_address": _IP, "mac_address": _IP},
                                                                        ["ip_address"])}
# Values end up in dnsmasq's option file: no newline, comma or control character can be sent.
_OPTS = {"type": ["array", "null"], "maxItems": 20, "items": schema.obj(
    {"opt_name": {"type": "string", "pattern": "[a-z0-9-]{1,64}"}, "ip_version": {"enum": [4, 6, "4", "6"]},
     "opt_value": {"type": ["string", "null"], "pattern": "[A-Za-z0-9 ._:/@+=-]{0,255}"}}, ["opt_name", "opt_value"])}
# The attributes that can be changed on ports of routers and of DHCP; the others follow from the device.
_OF_DEVICES = ("name", "description", "admin_state_up", "dns_name", "fixed_ips")


class Ports(Resource):
    singular, plural, kind, table, quota = "port", "ports", "Port", models.ports, "port"
    # Only this service sets the relation of a port: compute finds a server's interfaces by it, not by texts that
    # users can write.
    more_filters = ("status", "relation", "binding:vif_type")
    attributes = {
        "network_id": Attribute(schema.UUID, REQUIRED, update=False, parse=values.uuid), "admin_state_up": flag(True),
        "mac_address": Attribute({"type": "string", "maxLength": 32}, None, parse=values.mac_address, asked=True),
        "fixed_ips": Attribute(_FIXED, UNSET, parse=parsing.fixed_ips, asked=True),
        "device_id": Attribute({"type": "string", "maxLength": 255}, "", parse=parsing.text),
        "device_owner": Attribute({"type": "string", "maxLength": 255}, "", parse=parsing.text),
        "security_groups": Attribute({"type": ["array", "null"], "maxItems": 50, "items": schema.UUID}, UNSET,
                                     parse=parsing.uuids),
        "binding:host_id": Attribute(schema.TEXT, None, parse=parsing.text, asked=True),
        "binding:vnic_type": Attribute({"enum": ["normal"]}, "normal"),
        "binding:profile": Attribute({"type": ["object", "null"], "maxProperties": 32}, None, asked=True),
        "port_security_enabled": flag(None, asked=True),
        "allowed_address_pairs": Attribute(_PAIRS, None, parse=parsing.address_pairs, asked=True),
        "extra_dhcp_opts": Attribute(_OPTS, None, parse=parsing.dhcp_options),
        "dns_name": Attribute({"type": "string", "maxLength": 63}, "", parse=parsing.label)}

    def view(self, row):
        same = ("network_id", "mac_address", "admin_state_up", "status", "device_id", "device_owner",
                "port_security_enabled", "allowed_address_pairs", "dns_name", "fixed_ips", "security_groups")
        options = [{"ip_version": 4, **option} for option in row["extra_dhcp_opts"]]
        return {**{k: row[k] for k in same}, "extra_dhcp_opts": options, "binding:host_id": row["binding_host_id"],
                "binding:vnic_type": row["binding_vnic_type"], "binding:vif_type": row["binding_vif_type"],
                "binding:vif_details": {"port_filter": True} if row["binding_vif_type"] == "bridge" else {},
                "binding:profile": row["binding_profile"], "qos_policy_id": None, "dns_assignment": []}

    def shown(self, call, row):
        """OpenStack has no attribute that says for whom a port was created, so only services see ours."""
        found = super().shown(call, row)
        if call.svc.policy.allows(call.ctx, "service_api", {}):
            found["created_for_server"] = row["created_for_server"]
        return found

    def visible(self, call):
        """The owner of a network sees all ports on it."""
        return rows.any_of(super().visible(call), networks.on_network_of(self.table, call.ctx.project_id))

    def target_of(self, row):
        return {"project_id": row["project_id"], **NETWORKS.target_on(row["network"])}

    def target(self, work, owner, given, row):
        network = row["network"] if row else NETWORKS.row(work, given["network_id"])
        device_owner = given.get("device_owner", row["device_owner"] if row else "")
        return {"project_id": owner, **NETWORKS.target_on(network), "port:device_owner": device_owner}

    def row(self, work, row_id):
        row = networks.find_on_network(work.connection, self.table, row_id, self.visible(work))
        if row is None:
            raise self.absent(row_id)
        return row

    def complete(self, connection, found):
        return networks.with_network(connection, state.with_parts(connection, found))

    def insert(self, work, values):
        network = NETWORKS.row(work, values["network_id"])
        wanted_ips, wanted_groups = values.pop("fixed_ips"), values.pop("security_groups")
        if values["port_security_enabled"] is None:
            values["port_security_enabled"] = network["port_security_enabled"]
        values["relation"] = self._relation(work, {**values, "relation": "", "device_id": ""}, values)
        values["created_for_server"] = values["relation"] == roles.SERVER
        port = port_rows.new_port(values)
        port["allowed_address_pairs"] = self._pairs(port)
        port["extra_dhcp_opts"] = _merged([], port["extra_dhcp_opts"])
        if port["binding_host_id"]:
            port["binding_vif_type"] = "bridge"
        members = self._groups(work, port, wanted_groups)
        rows.insert(work.connection, self.table, port, conflict=f"Unable to complete operation for network "
                    f"{network['id']}. The mac address {port['mac_address']} is in use.")
        port["fixed_ips"] = port_addresses.give(work.connection, port, wanted_ips)
        groups.add_members(work.connection, port["id"], members)
        return {**port, "security_groups": members, "network": network}

    def _relation(self, work, old: dict, values: dict) -> str:
        """The relation of a port after a request that may set its device. Only the compute service makes it a
        server's.

        :raises Conflict: it belongs to another device, or the device is a router of another project
        """
        device, owner = (values.get(n, old[n]) for n in ("device_id", "device_owner"))
        if not port_rows.is_users(old["relation"]):
            if (device, owner) != (old["device_id"], old["device_owner"]):
                raise errors.Conflict(f"Port {old['id']} belongs to a device of the network service, of the kind "
                                      f"{old['relation']}: its device cannot be changed.", kind="PortInUse")
            return old["relation"]
        if work.svc.policy.allows(work.ctx, "service_api", {}):
            if old["relation"] and device not in ("", old["device_id"]):
                raise errors.Conflict(f"Unable to complete operation on port {old['id']}: the device {old['device_id']} has it "
                                      f"already.", kind="PortInUse")
            return roles.SERVER if device and owner.startswith("compute:") else ""
        if old["relation"] and (device, owner) != (old["device_id"], old["device_owner"]):
            if device or not work.svc.policy.is_admin(work.ctx):
                raise errors.Conflict(f"Port {old['id']} is an interface of server {old['device_id']}: detach it there.",
                                      kind="PortInUse")
            return ""
        if not old["relation"] and not work.svc.policy.is_admin(work.ctx):
            self._check_router(work.connection, device, owner, old["project_id"])
        return old["relation"]

    @staticmethod
    def _check_router(connection, device: str, owner: str, project_id: str) -> None:
        """:raises Conflict: device_id is a router of another project"""
        router = rows.find(connection, models.routers, device) if device else None
        if router["project_id"] != project_id if router else device and owner in roles.INTERFACES:
            raise errors.Conflict(f"The following device_id {device} is not owned by your project or matches another "
                                  f"project's router.", kind="DeviceIDNotOwnedByTenant")

    def _pairs(self, port) -> list[dict]:
        found = [{"mac_address": port["mac_address"], **pair} for pair in port["allowed_address_pairs"] or []]
        if found and not port["port_security_enabled"]:
            raise errors.Conflict("Port security must be enabled in order to have allowed address pairs on a port.",
                                  kind="AddressPairAndPortSecurityRequired")
        return found

    def _groups(self, work, port, wanted) -> list[str]:
        own_device = port["device_owner"].startswith("network:")
        if wanted in (UNSET, None):
            if own_device or not port["port_security_enabled"]:
                return []
            return [groups.ensure_default(work.connection, port["project_id"])]
        if wanted and not port["port_security_enabled"]:
            raise errors.Conflict("Port security must be enabled and port must have an IP address in order to use "
                                  "security groups.", kind="PortSecurityAndIPRequiredForSecurityGroups")
        if wanted:
            groups.check_usable(work.connection, wanted, port["project_id"], of_any=work.svc.policy.is_admin(work.ctx))
        return sorted(set(wanted))

    def writes_parts(self, given):
        return bool(given.keys() & {"fixed_ips", "mac_address", "security_groups"})

    def change(self, work, old, values):
        port = {**old, **values}
        values["relation"] = self._relation(work, old, values)
        if old["relation"] == roles.SERVER != values["relation"]:
            values["created_for_server"] = False
        self._check_change(old, values)
        if "allowed_address_pairs" in values or not port["port_security_enabled"]:
            values["allowed_address_pairs"] = self._pairs(port)
        if values.get("mac_address", old["mac_address"]) != old["mac_address"]:
            old = {**old, "fixed_ips": port_addresses.follow_mac(work.connection, old, values["mac_address"])}
        if "fixed_ips" in values:
            port_addresses.change(work.connection, {**port, "fixed_ips": old["fixed_ips"]}, values.pop("fixed_ips") or [])
        if "security_groups" in values:
            groups.set_members(work.connection, old["id"], self._groups(work, port, values["security_groups"]))
        elif not port["port_security_enabled"] and old["security_groups"]:
            raise errors.Conflict("Port has security group associated. Cannot disable port security or IP address until "
                                  "security group is removed.", kind="PortSecurityPortHasSecurityGroup")
        if values.keys() & {"binding_host_id", "binding_profile"}:
            values.update(bindings.changed(old, values))
        if "extra_dhcp_opts" in values:
            values["extra_dhcp_opts"] = _merged(old["extra_dhcp_opts"], values["extra_dhcp_opts"] or [])
        return values

    @staticmethod
    def _check_change(old, values) -> None:
        """:raises Conflict: the device of the port requires the current values"""
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

    def remove(self, work, row):
        if not port_rows.is_users(row["relation"]) and row["relation"] != roles.DHCP_PORT:
            raise errors.Conflict(f"Port {row['id']} cannot be deleted directly via the port API: has device owner "
                                  f"{row['device_owner']}.", kind="ServicePortInUse")
        table = models.floatingips
        work.changes.routers(work.connection, sa.select(table.c.router_id).where(
            table.c.port_id == row["id"], table.c.router_id.is_not(None)))
        port_rows.release(work.connection, row["id"])

    def _delete_one(self, work, row_id, revision):
        row = super()._delete_one(work, row_id, revision)
        if row["relation"] == roles.DHCP_PORT:
            SUBNETS.restore_dhcp(work, row["network_id"])
        return row

    def concern(self, work, before, after):
        changes, connection = work.changes, work.connection
        changes.ports(connection, before, after)
        changes.routers(connection, {row["device_id"] for row in [*before, *after] if row["relation"] in roles.ROUTER_PORTS})
        for network_id in {row["network_id"] for row in [*before, *after] if row["relation"] == roles.DHCP_PORT}:
            changes.network(connection, network_id)
        shown = {port["id"]: _shown_by_compute(port) for port in before}
        work.report(*(port["id"] for port in after if port["relation"] == roles.SERVER
                      and shown.get(port["id"], _shown_by_compute(port)) != _shown_by_compute(port)))
        served = {port["id"]: _served(port) for port in _plugged(before) if port["binding_vif_type"] != "binding_failed"}
        old = {port["id"]: port for port in _plugged(before)}
        for port in _plugged(after):
            for host in bindings.hosts_of(port):
                if port["id"] not in old or not _stays(old[port["id"]], port, host):
                    changes.at(host).networks.add(port["network_id"])
                    work.plugged.add(host)
            if served.get(port["id"]) == _served(port):
                continue  # DHCP knows this guest, which moves to another host
            # Do not wait for a DHCP server that is down: the guest repeats its request until another host serves its
            # networks.
            work.plugged.update(host for host, part in changes.parts[port["network_id"]].items() if (
                hosting.DHCP_KIND in part.kinds and not part.is_silent(work.svc.conf.service_down_time)))

    def after(self, work, verb, found):
        if verb == "delete" and not work.ctx.is_service:  # compute's own hosts know what they delete
            work.svc.interfaces_deleted([port for port in found if port["relation"] == roles.SERVER])
        work.svc.ports_changed(work.reported)
        return found if verb == "delete" or not work.plugged else self._plug(work, found)

    def _plug(self, work, found: list[dict]) -> list[dict]:
        """Have the agents build the ports, and update DHCP of their networks, before the caller starts the guest."""
        bound = _plugged(found)
        by_host = {host: work.changes.by_host[host] for host in sorted(work.plugged)}
        with work.svc.db.reader() as connection:
            wanted = deltas.of(connection, by_host, bound, work.changes.parts)
        try:
            for host, delta in wanted.items():
                work.svc.agents.plug(work.ctx, host, deltas.as_plug(delta), work.svc.conf.network.plug_timeout_s)
            values: dict = {"status": "ACTIVE", "binding_vif_type": "bridge"}
        except errors.Error as error:
            work.svc.log.warning("ports %s could not be plugged: %s %s", ", ".join(p["id"] for p in bound), error,
                                 error.internal or "")
            values = {"status": "DOWN", "binding_vif_type": "binding_failed"}
        return [self._shown_plugged(work, port, values) if port in bound else port for port in found]

    def _shown_plugged(self, work, port: dict, values: dict) -> dict:
        if any(port[k] != v for k, v in values.items()):
            values = {**values, "revision_number": port["revision_number"] + 1, "updated_at": db.now()}
            work.svc.db.transact(rows.update_where, self.table, values, id=port["id"])
        return {**port, **values}

    def extra_filter(self, name, values):
        if name == "fixed_ips":
            return port_rows.having_addresses(**_wanted_addresses(values))
        if name in ("security_groups", "security_group_id"):
            return port_rows.in_groups(values)
        return None


def _plugged(found: list[dict]) -> list[dict]:
    """Those of the ports that an agent builds on a host."""
    return [p for p in found if p["binding_host_id"] and p["relation"] == roles.SERVER]


def _stays(old: dict, port: dict, host: str) -> bool:
    """Whether a host has plugged a port already, which only comes to another host too, or leaves one: nobody waits for it."""
    is_plugged = (old["status"], old["binding_vif_type"]) == ("ACTIVE", "bridge")
    return is_plugged and host in bindings.hosts_of(old) and bindings.hosts_of(old) != bindings.hosts_of(port) and (
        state.port_details([old], host) == state.port_details([port], host))


def _shown_by_compute(port: dict) -> tuple:
    """The attributes of a port that the compute service shows with its server."""
    return port["mac_address"], port["fixed_ips"], sorted(port["security_groups"])


def _served(port: dict) -> tuple:
    """The attributes of a port that matter to DHCP and its names."""
    return port["mac_address"], port["fixed_ips"], port["extra_dhcp_opts"], port["dns_name"]


def _wanted_addresses(values: list[str]) -> dict[str, list[str]]:
    """{"ip_address", "subnet_id" or "ip_address_substr": values} of a filter ``fixed_ips=ip_address=10.1.0.5``."""
    form = {"ip_address": parsing.stored(parsing.address), "subnet_id": parsing.description,
            "ip_address_substr": parsing.description}
    given: dict[str, list[str]] = {}
    for text in values:
        kind, divided, value = text.partition("=")
        if kind not in form or not divided:
            raise errors.BadRequest(f"Invalid input for operation: '{text[:64]}' is not of the form <key>=[value], with a key of "
                                    f"{', '.join(form)}.", kind="InvalidInput")
        given.setdefault(kind, []).append(form[kind](value, kind))
    return given


def _merged(old: list[dict], given: list[dict]) -> list[dict]:
    """A port's DHCP options after an update. Options in the update are set, or deleted if the value is null; the
    others are kept."""
    found = {(o["opt_name"], o.get("ip_version", 4)): o for o in old}
    for option in given:
        key = (option["opt_name"], option["ip_version"])
        if option["opt_value"] is None:
            found.pop(key, None)
        elif option["opt_value"] or option["opt_name"] in parsing.MAY_BE_BLANK:
            found[key] = option
    return list(found.values())


PORTS = Ports()
