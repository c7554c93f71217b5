"""Floating IPs: addresses of an external network that a router translates to a port's."""

from common import errors, rows, schema, values
from network import parsing, roles
from network.db import addresses, models, port_addresses, routers
from network.db import ports as port_rows
from network.services.networks import NETWORKS
from network.services.ports import PORTS
from network.services.resource import REQUIRED, Attribute, Resource

_NULLABLE = {"type": ["string", "null"], "maxLength": 64}


class FloatingIps(Resource):
    singular, plural, kind, table, quota = "floatingip", "floatingips", "FloatingIP", models.floatingips, "floatingip"
    more_filters = ("router_id", "status")
    named = False  # clients show the address as its name
    attributes = {
        "floating_network_id": Attribute(schema.UUID, REQUIRED, update=False, parse=values.uuid),
        "port_id": Attribute(_NULLABLE, None, parse=values.uuid),
        "fixed_ip_address": Attribute(_NULLABLE, None, parse=parsing.address),
        "floating_ip_address": Attribute(_NULLABLE, None, update=False, parse=parsing.address),
        "subnet_id": Attribute(_NULLABLE, None, update=False, parse=values.uuid)}

    def view(self, row):
        shown = {k: row[k] for k in ("floating_network_id", "floating_ip_address", "port_id", "fixed_ip_address",
                                     "router_id", "status")}
        return {**shown, "port_details": None, "dns_name": "", "dns_domain": "", "qos_policy_id": None,
                "port_forwardings": []}

    def insert(self, work, values):
        network = NETWORKS.get(work, values["floating_network_id"])
        if not network["router_external"]:
            raise self._bad(f"Network {network['id']} is not a valid external network.")
        port = port_rows.device_port(network["id"], roles.FLOATING, values["id"], status="N/A")
        rows.insert(work.connection, models.ports, port)
        wanted, subnet = values.pop("floating_ip_address"), values.pop("subnet_id")
        given = {**({"ip_address": wanted} if wanted else {}), **({"subnet_id": subnet} if subnet else {})}
        if given:
            ip = port_addresses.give(work.connection, port, [given])[0]
            if ":" in ip["ip_address"]:
                raise self._bad("Floating IPs have IPv4 addresses.")
        else:
            own = [s for s in port_addresses.subnets_of(work.connection, network["id"]) if s["ip_version"] == 4]
            ip = addresses.allocate(work.connection, port, own)
        values.update(floating_ip_address=ip["ip_address"], fip_port_id=port["id"], status="DOWN", router_id=None)
        target, fixed = values.pop("port_id"), values.pop("fixed_ip_address")
        values.update(port_id=None, fixed_ip_address=None)
        if target:
            work.report(target)
            values.update(self._association(work, values, target, fixed))
        rows.insert(work.connection, self.table, values)
        return values

    def _association(self, work, row, port_id, fixed) -> dict:
        """The columns that associate a floating IP with a port: the router must reach both sides."""
        port = PORTS.get(work, port_id)
        if port["project_id"] != row["project_id"] and not work.svc.policy.is_admin(work.ctx):
            raise self._bad(f"Port {port_id} is associated with a different project than Floating IP {row['id']} and therefore "
                            f"cannot be bound.")
        if not port_rows.is_users(port["relation"]):
            raise self._bad(f"Port {port_id} has device owner {port['device_owner']} and cannot have a floating IP.")
        ipv4 = [i for i in port["fixed_ips"] if ":" not in i["ip_address"] and fixed in (None, i["ip_address"])]
        if not ipv4:
            raise self._bad(f"Port {port_id} has no fixed IPv4 address {fixed or ''}.")
        if len(ipv4) > 1:
            raise self._bad(f"Port {port_id} has multiple fixed IPv4 addresses. Must provide a specific IPv4 address when "
                            f"assigning a floating IP.")
        if rows.exists(work.connection, self.table, self.table.c.id != row["id"], port_id=port_id,
                       fixed_ip_address=ipv4[0]["ip_address"]):
            raise errors.Conflict(f"Cannot associate floating IP {row['floating_ip_address']} with port {port_id} using "
                                  f"fixed IP {ipv4[0]['ip_address']}, as that fixed IP already has a floating IP.",
                                  kind="FloatingIPPortAlreadyAssociated")
        router = routers.between(work.connection, ipv4[0]["subnet_id"], row["floating_network_id"])
        if router is None:
            raise errors.NotFound(f"External network {row['floating_network_id']} is not reachable from subnet "
                                  f"{ipv4[0]['subnet_id']}. Therefore, cannot associate Port {port_id} with a Floating "
                                  f"IP.", kind="ExternalGatewayForFloatingIPNotFound")
        return {"port_id": port_id, "fixed_ip_address": ipv4[0]["ip_address"], "router_id": router[0], "status": router[1]}

    def change(self, work, old, values):
        if "port_id" in values:
            target = values.pop("port_id")
            fixed = values.pop("fixed_ip_address", None)
            work.report(old["port_id"], target)
            if target:
                values.update(self._association(work, old, target, fixed))
            else:
                values.update(port_id=None, fixed_ip_address=None, router_id=None, status="DOWN")
        elif values.pop("fixed_ip_address", None):
            raise self._bad("fixed_ip_address cannot be specified without a port_id.")
        return values

    @staticmethod
    def _bad(text: str) -> errors.BadRequest:
        return errors.BadRequest(f"Bad floatingip request: {text}", kind="BadFloatingIPRequest")

    def _delete_one(self, work, row_id, revision):
        row = super()._delete_one(work, row_id, revision)
        work.report(row["port_id"])
        addresses.release(work.connection, row["fip_port_id"])
        rows.delete(work.connection, models.ports, row["fip_port_id"], resource="Port")
        return row

    def concern(self, work, before, after):
        work.changes.routers(work.connection, {row["router_id"] for row in [*before, *after] if row["router_id"]})

    def after(self, work, verb, found):
        work.svc.ports_changed(work.reported)
        return found


FLOATINGIPS = FloatingIps()
