"""Security groups and their rules."""

import ipaddress
import re

import sqlalchemy as sa

from common import db, errors, rows, schema
from network.db import groups, models
from network.handlers.resource import REQUIRED, Attribute, Resource
from network.handlers.subnets import parse
from network.protocols import PROTOCOLS

_WITH_PORTS = {"tcp", "udp", "sctp", "dccp", "udplite", "6", "17", "132", "33", "136"}
_ICMP = {"icmp", "icmpv6", "ipv6-icmp", "1", "58"}


class SecurityGroups(Resource):
    singular, plural, kind = "security_group", "security_groups", "SecurityGroup"
    table, quota = models.security_groups, "security_group"
    attributes = {"stateful": Attribute({"enum": [True, "true", "True"]}, True)}

    def view(self, row):
        return {"stateful": row["stateful"], "shared": False,
                "security_group_rules": [rule_view(r) for r in row["rules"]]}

    def complete(self, connection, found):
        rules = groups.rules_of(connection, [r["id"] for r in found])
        return [{**r, "rules": rules[r["id"]]} for r in found]

    def index(self, req):
        """The default group exists for whoever looks."""
        if req.ctx.project_id:
            with req.svc.db.writer() as connection:
                groups.ensure_default(connection, req.ctx.project_id)
        return super().index(req)

    def insert(self, req, connection, values):
        if values["name"] == "default":
            raise errors.Conflict("Default security group already exists.", kind="SecurityGroupDefaultAlreadyExists")
        values.update(stateful=True, is_default=False)
        rows.insert(connection, self.table, values)
        rules = groups.new_rules(values, ingress_from_group=False)
        connection.execute(sa.insert(models.security_group_rules), rules)
        return {**values, "rules": rules}

    def change(self, req, connection, old, values):
        if old["is_default"] and "name" in values and values["name"] != "default":
            raise errors.Conflict("Updating default security group not allowed.",
                                  kind="SecurityGroupCannotUpdateDefault")
        values.pop("stateful", None)
        return values

    def remove(self, req, connection, row):
        if row["is_default"] and not req.ctx.is_admin:
            raise errors.Conflict("Removing default security group not allowed.",
                                  kind="SecurityGroupCannotRemoveDefault")
        m = models.port_security_groups
        if connection.execute(sa.select(m.c.port_id).where(m.c.security_group_id == row["id"])).first():
            raise errors.InUse(f"Security Group {row['id']} in use.", kind="SecurityGroupInUse")


def rule_view(row: dict) -> dict:
    shown = {k: row[k] for k in ("id", "project_id", "security_group_id", "direction", "ethertype", "protocol",
                                 "port_range_min", "port_range_max", "remote_ip_prefix", "remote_group_id",
                                 "description", "revision_number")}
    return {**shown, "tenant_id": row["project_id"], "remote_address_group_id": None, "normalized_cidr":
            row["remote_ip_prefix"], "created_at": db.iso(row["created_at"]), "updated_at": db.iso(row["updated_at"]),
            "tags": [], "belongs_to_default_sg": False}


class SecurityGroupRules(Resource):
    singular, plural, kind = "security_group_rule", "security_group_rules", "SecurityGroupRule"
    table, quota = models.security_group_rules, "security_group_rule"
    _PORT = schema.integer(0, 65535, null=True)
    attributes = {
        "security_group_id": Attribute(schema.UUID, REQUIRED, update=False),
        "direction": Attribute({"enum": ["ingress", "egress"]}, REQUIRED, update=False),
        "ethertype": Attribute({"enum": ["IPv4", "IPv6", "ipv4", "ipv6"]}, "IPv4", update=False),
        "protocol": Attribute({"type": ["string", "integer", "null"], "maxLength": 40}, None, update=False),
        "port_range_min": Attribute(_PORT, None, update=False), "port_range_max": Attribute(_PORT, None, update=False),
        "remote_ip_prefix": Attribute(schema.TEXT, None, update=False),
        "remote_group_id": Attribute({"type": ["string", "null"], "maxLength": 36}, None, update=False)}

    def view(self, row):
        return rule_view(row)

    def _shown(self, req, row):
        shown = rule_view(row)
        fields = req.GET.getall("fields")
        return {k: v for k, v in shown.items() if k in fields} if fields else shown

    def insert(self, req, connection, values):
        group = SECURITY_GROUPS.get(connection, req.ctx, values["security_group_id"])
        values["project_id"] = group["project_id"]
        values["ethertype"] = "IPv4" if values["ethertype"].lower() == "ipv4" else "IPv6"
        self._normalise(values)
        if values["remote_group_id"]:
            SECURITY_GROUPS.get(connection, req.ctx, values["remote_group_id"])
        same = ("direction", "ethertype", "protocol", "port_range_min", "port_range_max", "remote_ip_prefix",
                "remote_group_id")
        for rule in group["rules"]:
            if all(rule[k] == values[k] for k in same):
                raise errors.Conflict(f"Security group rule already exists. Rule id is {rule['id']}.",
                                      kind="SecurityGroupRuleExists")
        rows.insert(connection, self.table, values)
        return values

    def _normalise(self, values):
        """Check a rule with the same eyes that later write it into the filter."""
        values["protocol"] = protocol = self._protocol(values["protocol"])
        low, high = (int(values[k]) if values[k] is not None else None for k in ("port_range_min", "port_range_max"))
        values.update(port_range_min=low, port_range_max=high)
        if protocol in _ICMP:
            if any(v is not None and v > 255 for v in (low, high)) or (low is None and high is not None):
                raise self._bad("port_range_min", low)
        elif low is not None or high is not None:
            self._check_ports(protocol, low, high)
        if values["remote_ip_prefix"]:
            values["remote_ip_prefix"] = self._prefix(values)

    def _protocol(self, given) -> str | None:
        if given is None or str(given).lower() == "any":
            return None
        protocol = str(given).lower()
        if re.fullmatch("[0-9]{1,40}", protocol):
            if int(protocol) > 255:
                raise self._bad("protocol", protocol)
        elif protocol not in PROTOCOLS:
            raise errors.BadRequest(f"Security group rule protocol {protocol} not supported.",
                                    kind="SecurityGroupRuleInvalidProtocol")
        return protocol

    @staticmethod
    def _check_ports(protocol, low, high) -> None:
        if protocol not in _WITH_PORTS:
            raise errors.BadRequest("Port range was given for a protocol that has none.",
                                    kind="SecurityGroupProtocolRequiredWithPorts")
        if low is None or high is None or not 1 <= low <= high:
            raise errors.BadRequest("For TCP/UDP protocols, port_range_min must be <= port_range_max",
                                    kind="SecurityGroupInvalidPortRange")

    @staticmethod
    def _prefix(values) -> str:
        if values["remote_group_id"]:
            raise errors.BadRequest("Only remote_ip_prefix or remote_group_id may be provided.",
                                    kind="SecurityGroupRemoteGroupAndRemoteIpPrefix")
        net = parse(values["remote_ip_prefix"], ipaddress.ip_interface, "remote_ip_prefix").network
        if f"IPv{net.version}" != values["ethertype"]:
            raise errors.BadRequest(f"Conflicting value ethertype {values['ethertype']} for CIDR {net}",
                                    kind="SecurityGroupRuleInvalidEtherType")
        return str(net)

    @staticmethod
    def _bad(name, value):
        return errors.BadRequest(f"Invalid input for {name}. Reason: '{value}' is not valid.")

    def after(self, req, verb, found):
        req.svc.refresh_agents(req.ctx)
        return found


SECURITY_GROUPS = SecurityGroups()
RULES = SecurityGroupRules()

