"""Networks."""

from common import errors, rows, schema, values
from network import parsing, roles
from network.db import models
from network.db import networks as queries
from network.services.resource import Attribute, Resource, flag

MIN_IPV6_MTU = 1280
MAX_MTU = 9216  # the largest jumbo frames; with 65535, tunnels cannot be created


class Networks(Resource):
    singular, plural, kind, table, quota = "network", "networks", "Network", models.networks, "network"
    more_filters = ("status",)
    shared_filter = queries.OPEN_TO_ALL
    attributes = {
        "admin_state_up": flag(True), "shared": flag(False), "router:external": flag(False), "is_default": flag(False),
        "port_security_enabled": flag(True),
        "mtu": Attribute(schema.integer(0, 65535), None, parse=parsing.between(0, 65535)),
        "dns_domain": Attribute({"type": "string", "maxLength": 255}, "", parse=parsing.domain),
        "provider:network_type": Attribute({"enum": ["flat", "local", "vxlan"]}, None, asked=True),
        "provider:physical_network": Attribute({"type": ["string", "null"], "maxLength": 64}, None, parse=values.identifier,
                                               asked=True),
        "provider:segmentation_id": Attribute(schema.integer(1, (1 << 24) - 1, null=True), None,
                                              parse=parsing.between(1, (1 << 24) - 1), asked=True),
        "availability_zone_hints": Attribute({"type": "array", "maxItems": 0}, None, update=False)}

    def view(self, row):
        return {"admin_state_up": row["admin_state_up"], "status": row["status"], "shared": row["shared"],
                "router:external": row["router_external"], "is_default": row["is_default"], "mtu": row["mtu"],
                "port_security_enabled": row["port_security_enabled"], "dns_domain": row["dns_domain"],
                "provider:network_type": row["provider_network_type"], "subnets": row["subnets"],
                "provider:physical_network": row["provider_physical_network"],
                "provider:segmentation_id": row["provider_segmentation_id"], "availability_zones": ["nova"],
                "availability_zone_hints": [], "ipv4_address_scope": None, "ipv6_address_scope": None,
                "qos_policy_id": None, "l2_adjacency": True}

    def target_of(self, row):
        return {"project_id": row["project_id"], "network:shared": row["shared"],
                "network:router:external": row["router_external"]}

    @staticmethod
    def target_on(network: dict) -> dict:
        """The target of policy checks about the network of a resource."""
        return {"network:project_id": network["project_id"], "network:shared": network["shared"]}

    def complete(self, connection, found):
        subnets = queries.subnet_ids(connection, [r["id"] for r in found])
        return [{**r, "subnets": subnets[r["id"]]} for r in found]

    def insert(self, work, values):
        values = {k: v for k, v in values.items() if k in self.table.c}
        values.update(status="ACTIVE", dhcp_host="", mtu=values["mtu"] or work.svc.conf.network.mtu)
        self._check_mtu(values["mtu"], False)
        kind = values["provider_network_type"] or ("flat" if values["provider_physical_network"] else "vxlan")
        values["provider_network_type"] = kind
        if kind == "flat" and not values["provider_physical_network"]:
            raise errors.BadRequest("Invalid input for operation: physical_network required for flat provider network.")
        for name, of in (("physical_network", "flat"), ("segmentation_id", "vxlan")):
            if kind != of and values[f"provider_{name}"] is not None:
                raise errors.BadRequest(f"Invalid input for operation: {name} specified for {kind} provider network.")
        if kind == "vxlan" and values["provider_segmentation_id"] is None:
            values["provider_segmentation_id"] = queries.free_vxlan_id(work.connection)
        values["provider_segment"] = None if kind == "local" else ":".join(
            str(values[n] or "") for n in ("provider_network_type", "provider_physical_network", "provider_segmentation_id"))
        rows.insert(work.connection, self.table, values, conflict="Unable to create the network. The physical network or "
                                                             "segment is in use.")
        return {**values, "subnets": []}

    @staticmethod
    def _check_mtu(mtu: int, has_ipv6: bool) -> None:
        """:raises BadRequest: below the minimum of IP, or more than any link supports"""
        least = MIN_IPV6_MTU if has_ipv6 else 68
        if mtu > MAX_MTU:
            raise errors.BadRequest(f"Invalid input for operation: Requested MTU is too big, maximum is {MAX_MTU}.")
        if mtu < least:
            raise errors.BadRequest(f"Invalid input for operation: Requested MTU is too small, minimum is {least} for "
                                    f"IPv{6 if has_ipv6 else 4} subnets.")

    def change(self, work, old, values):
        if "mtu" in values:
            values["mtu"] = work.svc.conf.network.mtu if values["mtu"] is None else values["mtu"]
            self._check_mtu(values["mtu"], rows.exists(work.connection, models.subnets, network_id=old["id"], ip_version=6))
        if moved := sorted(k for k, v in values.items() if k.startswith("provider_") and v != old[k]):
            names = ", ".join(k.replace("_", ":", 1) for k in moved)
            raise errors.BadRequest(f"Invalid input for operation: Plugin does not support updating the following provider "
                                    f"network attributes: {names}.", kind="InvalidInput")
        if old["router_external"] and values.get("router_external") is False:
            self._check_no_gateways(work.connection, old["id"])
        if old["shared"] and values.get("shared") is False:
            self._check_unused_by_others(work.connection, old)
        return values

    @staticmethod
    def _check_no_gateways(connection, network_id: str) -> None:
        """:raises Conflict: routers or floating IPs have addresses in it"""
        if rows.exists(connection, models.ports, network_id=network_id, relation=[roles.GATEWAY, roles.FLOATING]):
            raise errors.Conflict(f"External network {network_id} cannot be updated to be made non-external, since it has "
                                  f"existing gateway ports.", kind="ExternalNetworkInUse")

    @staticmethod
    def _check_unused_by_others(connection, network) -> None:
        """:raises Conflict: a project that would no longer see the network has resources on it"""
        if queries.used_by_others(connection, network):
            raise errors.Conflict(f"Unable to reconfigure sharing settings for network {network['id']}. Multiple projects are "
                                  f"using it.", kind="InvalidSharedSetting")

    def remove(self, work, row):
        held = queries.ports_in_use(work.connection, row["id"])
        if held:
            raise errors.InUse(f"Unable to complete operation on network {row['id']}. There are one or more ports still in use "
                               f"on the network, id for these ports is: {','.join(held[:20])}.", kind="NetworkInUse")
        queries.delete_contents(work.connection, row["id"])

    def concern(self, work, before, after):
        """A deleted network has no guests and no router, so no host is part of it."""
        for old, new in zip(before, after):
            if any(old[k] != new[k] for k in ("mtu", "router_external", "dhcp_host")):
                work.changes.network(work.connection, new["id"])

    def extra_filter(self, name, values):
        if name == "subnets":
            return queries.having_subnets(values)
        return None


NETWORKS = Networks()
