"""Networks."""

import sqlalchemy as sa

from common import db, errors, rows, schema, values
from network import parsing, roles
from network.db import models
from network.handlers.resource import Attribute, Resource, flag

VXLAN_IDS = range(1001, 1 << 24)
LEAST_IPV6_MTU = 1280
MOST_MTU = 9216  # of Ethernet's jumbo frames; a tunnel refuses 65535


class Networks(Resource):
    singular, plural, kind, table, quota = "network", "networks", "Network", models.networks, "network"
    more_filters = ("status",)
    shared_filter = sa.or_(models.networks.c.shared, models.networks.c.router_external)
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
        """What rules are asked about the network that something is on."""
        return {"network:project_id": network["project_id"], "network:shared": network["shared"]}

    def with_network(self, connection, found: list[dict]) -> list[dict]:
        """Add to rows that are on networks what rules ask about these: ``network``, as ``target_on`` wants it. One statement,
        where it is not known."""
        n = self.table.c
        ids = sorted({row["network_id"] for row in found if "network" not in row})
        query = sa.select(n.id, n.project_id, n.shared, n.router_external).where(n.id.in_(ids))
        by = {row["id"]: row for row in rows.many(connection, query)} if ids else {}
        return [row if "network" in row else {**row, "network": by[row["network_id"]]} for row in found]

    def complete(self, connection, found):
        s = models.subnets
        by: dict = {}
        ids = [r["id"] for r in found]
        if ids:
            for network_id, subnet_id in connection.execute(sa.select(s.c.network_id, s.c.id).where(
                    s.c.network_id.in_(ids)).order_by(s.c.id)):
                by.setdefault(network_id, []).append(subnet_id)
        return [{**r, "subnets": by.get(r["id"], [])} for r in found]

    def insert(self, req, connection, values):
        values = {k: v for k, v in values.items() if k in self.table.c}
        values.update(status="ACTIVE", dhcp_host="", mtu=values["mtu"] or req.svc.conf.network.mtu)
        self._check_mtu(values["mtu"], False)
        kind = values["provider_network_type"] or ("flat" if values["provider_physical_network"] else "vxlan")
        values["provider_network_type"] = kind
        if kind == "flat" and not values["provider_physical_network"]:
            raise errors.BadRequest("Invalid input for operation: physical_network required for flat provider network.")
        for name, of in (("physical_network", "flat"), ("segmentation_id", "vxlan")):
            if kind != of and values[f"provider_{name}"] is not None:
                raise errors.BadRequest(f"Invalid input for operation: {name} specified for {kind} provider network.")
        if kind == "vxlan" and values["provider_segmentation_id"] is None:
            values["provider_segmentation_id"] = self._free_vxlan_id(connection)
        values["provider_segment"] = None if kind == "local" else ":".join(
            str(values[n] or "") for n in ("provider_network_type", "provider_physical_network", "provider_segmentation_id"))
        rows.insert(connection, self.table, values, conflict="Unable to create the network. The physical network or "
                                                             "segment is in use.")
        return {**values, "subnets": []}

    def _free_vxlan_id(self, connection) -> int:
        """The one after the highest in use; where that is the last there is, the lowest that is free.

        :raises Conflict: all are in use
        """
        db.lock(connection, "VXLAN ids")
        n, after = self.table.c, self.table.alias()
        used = sa.and_(n.provider_network_type == "vxlan", n.provider_segmentation_id >= VXLAN_IDS[0])
        last = connection.execute(sa.select(sa.func.max(n.provider_segmentation_id)).where(used)).scalar() or VXLAN_IDS[0] - 1
        if last + 1 in VXLAN_IDS:
            return last + 1
        if not connection.execute(sa.select(n.id).where(used, n.provider_segmentation_id == VXLAN_IDS[0])).first():
            return VXLAN_IDS[0]
        found = connection.execute(sa.select(sa.func.min(n.provider_segmentation_id)).where(
            used, ~sa.exists().where(after.c.provider_network_type == "vxlan",
                                     after.c.provider_segmentation_id == n.provider_segmentation_id + 1))).scalar()
        if found is None or found + 1 not in VXLAN_IDS:
            raise errors.Conflict("Unable to create the network. No tenant network is available for allocation.",
                                  kind="NoNetworkAvailable")
        return found + 1

    @staticmethod
    def _check_mtu(mtu: int, has_ipv6: bool) -> None:
        """:raises BadRequest: IP does not work over links with less, or no link has as much"""
        least = LEAST_IPV6_MTU if has_ipv6 else 68
        if mtu > MOST_MTU:
            raise errors.BadRequest(f"Invalid input for operation: Requested MTU is too big, maximum is {MOST_MTU}.")
        if mtu < least:
            raise errors.BadRequest(f"Invalid input for operation: Requested MTU is too small, minimum is {least} for "
                                    f"IPv{6 if has_ipv6 else 4} subnets.")

    def change(self, req, connection, old, values):
        if "mtu" in values:
            values["mtu"] = req.svc.conf.network.mtu if values["mtu"] is None else values["mtu"]
            s = models.subnets
            self._check_mtu(values["mtu"], connection.execute(sa.select(s.c.id).where(
                s.c.network_id == old["id"], s.c.ip_version == 6)).first() is not None)
        if moved := sorted(k for k, v in values.items() if k.startswith("provider_") and v != old[k]):
            names = ", ".join(k.replace("_", ":", 1) for k in moved)
            raise errors.BadRequest(f"Invalid input for operation: Plugin does not support updating the following provider "
                                    f"network attributes: {names}.", kind="InvalidInput")
        if old["router_external"] and values.get("router_external") is False:
            self._check_no_gateways(connection, old["id"])
        if old["shared"] and values.get("shared") is False:
            self._check_unused_by_others(connection, old)
        return values

    @staticmethod
    def _check_no_gateways(connection, network_id: str) -> None:
        """:raises Conflict: routers or floating IPs have addresses of it"""
        p = models.ports
        if connection.execute(sa.select(p.c.id).where(
                p.c.network_id == network_id, p.c.relation.in_([roles.GATEWAY, roles.FLOATING])).limit(1)).first():
            raise errors.Conflict(f"External network {network_id} cannot be updated to be made non-external, since it has "
                                  f"existing gateway ports.", kind="ExternalNetworkInUse")

    @staticmethod
    def _check_unused_by_others(connection, network) -> None:
        """:raises Conflict: a project that would no longer see the network has something on it"""
        of_others = []
        for table in (models.ports, models.subnets):
            query = sa.select(table.c.id).where(table.c.network_id == network["id"],
                                                table.c.project_id.not_in([network["project_id"], ""]))
            if table is models.ports:
                query = query.where(table.c.relation.in_(["", roles.SERVER, *roles.INTERFACES]))
            of_others += connection.execute(query.limit(1)).scalars().all()
        if of_others:
            raise errors.Conflict(f"Unable to reconfigure sharing settings for network {network['id']}. Multiple projects are "
                                  f"using it.", kind="InvalidSharedSetting")

    def remove(self, req, connection, row):
        p, f = models.ports, models.floatingips
        ports = sa.select(p.c.id).where(p.c.network_id == row["id"])
        held = connection.execute(ports.where(p.c.relation.not_in([roles.DHCP_PORT, roles.FLOATING])).order_by(p.c.id)
                                  ).scalars().all()
        held += connection.execute(sa.select(f.c.fip_port_id).where(
            f.c.floating_network_id == row["id"], f.c.port_id.is_not(None))).scalars().all()
        if held:
            raise errors.InUse(f"Unable to complete operation on network {row['id']}. There are one or more ports still in use "
                               f"on the network, id for these ports is: {','.join(held[:20])}.", kind="NetworkInUse")
        connection.execute(sa.delete(f).where(f.c.floating_network_id == row["id"]))
        connection.execute(sa.delete(models.ip_allocations).where(models.ip_allocations.c.port_id.in_(ports)))
        connection.execute(sa.delete(p).where(p.c.network_id == row["id"]))
        connection.execute(sa.delete(models.subnets).where(models.subnets.c.network_id == row["id"]))

    def after(self, req, verb, found):
        if verb != "create":
            req.svc.refresh_agents(req.ctx)
        return found

    def extra_filter(self, name, values):
        if name == "subnets":
            s = models.subnets
            return self.table.c.id.in_(sa.select(s.c.network_id).where(s.c.id.in_(values)))
        return None


NETWORKS = Networks()
