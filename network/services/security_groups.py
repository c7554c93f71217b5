"""Security groups and their rules."""

import ipaddress

from common import db, errors, rows, schema, values, wsgi
from network import parsing
from network.db import groups, models, revisions
from network.services.resource import REQUIRED, Attribute, Resource

_WITH_PORTS = {6, 17, 33, 132, 136}
_ICMP, _ICMPV6 = 1, 58
_ICMP_OF_IPV6 = {"icmp": "ipv6-icmp", "icmpv6": "ipv6-icmp", "1": "58"}
_ALL_PORTS = (1, 65535)
_ONLY_IPV6 = {"ipv6-encap", "ipv6-frag", "ipv6-nonxt", "ipv6-opts", "ipv6-route", "ipv6-icmp", "icmpv6"}
_PORT = {"type": ["integer", "string", "null"], "maxLength": 16}


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

    def extra_filter(self, name, values):
        """No group is shared with other projects."""
        return None if name != "shared" else rows.ALL if False in [wsgi.bool_value(v) for v in values] else rows.NONE

    def index(self, call, query):
        """The default group is created when the groups are first listed."""
        if call.ctx.project_id:
            with call.svc.db.writer() as connection:
                groups.ensure_default(connection, call.ctx.project_id)
        return super().index(call, query)

    def insert(self, work, values):
        if values["name"].lower() == "default":
            raise errors.Conflict("Default security group already exists.", kind="SecurityGroupDefaultAlreadyExists")
        values.update(stateful=True, is_default=False)
        rows.insert(work.connection, self.table, values)
        rules = groups.new_rules(values, ingress_from_group=False)
        for rule in rules:
            rows.insert(work.connection, models.security_group_rules, rule)
        return {**values, "rules": rules}

    def change(self, work, old, values):
        if not old["is_default"] and values.get("name", "").lower() == "default":
            raise errors.Conflict("Default security group already exists.", kind="SecurityGroupDefaultAlreadyExists")
        if old["is_default"] and "name" in values and values["name"] != "default":
            raise errors.Conflict("Updating default security group not allowed.",
                                  kind="SecurityGroupCannotUpdateDefault")
        values.pop("stateful", None)
        if values.get("name", old["name"]) != old["name"]:
            work.report(*groups.ports_of(work.connection, old["id"]))
        return values

    def remove(self, work, row):
        # Rules of other groups that refer to this one are deleted with it.
        work.changes.groups(work.connection, groups.referring(work.connection, row["id"]))
        if row["is_default"] and not work.svc.policy.is_admin(work.ctx):
            raise errors.Conflict("Removing default security group not allowed.",
                                  kind="SecurityGroupCannotRemoveDefault")
        if rows.exists(work.connection, models.port_security_groups, security_group_id=row["id"]):
            raise errors.InUse(f"Security Group {row['id']} in use.", kind="SecurityGroupInUse")

    def after(self, work, verb, found):
        work.svc.ports_changed(work.reported)
        return found


def _normalized(prefix: str | None) -> str | None:
    return str(ipaddress.ip_interface(prefix).network) if prefix else None


def rule_view(row: dict) -> dict:
    shown = {k: row[k] for k in ("id", "project_id", "security_group_id", "direction", "ethertype", "protocol",
                                 "port_range_min", "port_range_max", "remote_ip_prefix", "remote_group_id",
                                 "description", "revision_number")}
    return {**shown, "tenant_id": row["project_id"], "remote_address_group_id": None, "tags": [],
            "normalized_cidr": _normalized(row["remote_ip_prefix"]), "created_at": db.iso(row["created_at"]),
            "updated_at": db.iso(row["updated_at"]), "belongs_to_default_sg": False}


class SecurityGroupRules(Resource):
    singular, plural, kind = "security_group_rule", "security_group_rules", "SecurityGroupRule"
    table, quota = models.security_group_rules, "security_group_rule"
    attributes = {
        "security_group_id": Attribute(schema.UUID, REQUIRED, update=False, parse=values.uuid),
        "direction": Attribute({"enum": ["ingress", "egress"]}, REQUIRED, update=False),
        "ethertype": Attribute({"enum": ["IPv4", "IPv6", "ipv4", "ipv6"]}, "IPv4", update=False, parse=parsing.ethertype),
        "protocol": Attribute({"type": ["string", "integer", "null"], "maxLength": 40}, None, update=False,
                              parse=parsing.protocol),
        "port_range_min": Attribute(_PORT, None, update=False, parse=parsing.port),
        "port_range_max": Attribute(_PORT, None, update=False, parse=parsing.port),
        "remote_ip_prefix": Attribute({"type": ["string", "null"], "maxLength": 64}, None, update=False,
                                      parse=parsing.remote_prefix),
        "remote_group_id": Attribute({"type": ["string", "null"], "maxLength": 36}, None, update=False, parse=parsing.text)}

    def view(self, row):
        return rule_view(row)

    def fields(self, row):
        return rule_view(row)

    def target_of(self, row):
        return {"project_id": row["project_id"], "security_group:project_id": row["project_id"]}

    def target(self, work, owner, given, row):
        if row:
            return self.target_of(row)
        group = SECURITY_GROUPS.get(work, given["security_group_id"])
        return {"project_id": owner, "security_group:project_id": group["project_id"]}

    def insert(self, work, values):
        group = SECURITY_GROUPS.get(work, values["security_group_id"])
        values["project_id"] = group["project_id"]
        self._check(_canonical(values))
        if values["remote_group_id"]:
            SECURITY_GROUPS.get(work, values["remote_group_id"])
        for rule in group["rules"]:
            if _meaning(rule) == _meaning(values):
                raise errors.Conflict(f"Security group rule already exists. Rule id is {rule['id']}.",
                                      kind="SecurityGroupRuleExists")
        rows.insert(work.connection, self.table, values)
        revisions.grow(work.connection, models.security_groups, group["id"])
        return values

    def remove(self, work, row):
        revisions.grow(work.connection, models.security_groups, row["security_group_id"])

    def _check(self, rule):
        """:raises BadRequest: an invalid combination of attributes"""
        number, low, high = parsing.protocol_number(rule["protocol"]), rule["port_range_min"], rule["port_range_max"]
        if rule["ethertype"] == "IPv4" and (rule["protocol"] in _ONLY_IPV6 or number == _ICMPV6):
            raise errors.BadRequest(f"Invalid ethertype IPv4 for protocol {rule['protocol']}.",
                                    kind="SecurityGroupEthertypeConflictWithProtocol")
        if number in (_ICMP, _ICMPV6):
            for name in ("port_range_min", "port_range_max"):
                if rule[name] is not None and rule[name] > 255:
                    raise errors.BadRequest(f"Invalid value for ICMP {'type' if name.endswith('min') else 'code'} ({name}) "
                                            f"{rule[name]}. It must be 0 to 255.", kind="SecurityGroupInvalidIcmpValue")
            if low is None and high is not None:
                raise errors.BadRequest(f"ICMP code (port-range-max) {high} is provided but ICMP type (port-range-min) is "
                                        f"missing.", kind="SecurityGroupMissingIcmpType")
        elif low is not None or high is not None:
            self._check_ports(number, low, high)
        if rule["remote_ip_prefix"]:
            self._check_prefix(rule)

    @staticmethod
    def _check_ports(number, low, high) -> None:
        if number not in _WITH_PORTS:
            raise errors.BadRequest("Port range was given for a protocol that has none.",
                                    kind="SecurityGroupProtocolRequiredWithPorts")
        if low is None or high is None or not 1 <= low <= high:
            raise errors.BadRequest("For TCP/UDP protocols, port_range_min must be <= port_range_max",
                                    kind="SecurityGroupInvalidPortRange")

    @staticmethod
    def _check_prefix(rule) -> None:
        if rule["remote_group_id"]:
            raise errors.BadRequest("Only remote_ip_prefix or remote_group_id may be provided.",
                                    kind="SecurityGroupRemoteGroupAndRemoteIpPrefix")
        if f"IPv{ipaddress.ip_interface(rule['remote_ip_prefix']).version}" != rule["ethertype"]:
            raise errors.BadRequest(f"Conflicting value ethertype {rule['ethertype']} for CIDR {rule['remote_ip_prefix']}",
                                    kind="SecurityGroupRuleParameterConflict")

    def concern(self, work, before, after):
        work.changes.groups(work.connection, sorted({row["security_group_id"] for row in [*before, *after]}))


def _canonical(rule: dict) -> dict:
    """The rule as Neutron stores it, because clients rely on it: the range of all ports is null, and ICMP for IPv6 is
    "ipv6-icmp"."""
    if (rule["port_range_min"], rule["port_range_max"]) == _ALL_PORTS:
        rule["port_range_min"] = rule["port_range_max"] = None
    if rule["ethertype"] == "IPv6":
        rule["protocol"] = _ICMP_OF_IPV6.get(rule["protocol"], rule["protocol"])
    return rule


def _meaning(rule: dict) -> tuple:
    """A key that is equal for rules with the same effect."""
    same = ("direction", "ethertype", "port_range_min", "port_range_max", "remote_group_id")
    return (parsing.protocol_number(rule["protocol"]), _normalized(rule["remote_ip_prefix"]), *[rule[k] for k in same])


SECURITY_GROUPS = SecurityGroups()
RULES = SecurityGroupRules()
