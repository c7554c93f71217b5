"""The security group proxies of the compute API, until microversion 2.35.

This API has ingress rules only; others are not shown. Source: the compute API reference, "Security groups (os-security-groups)
(DEPRECATED)".
"""

from common import wsgi
from compute_api.schemas import security_groups as schemas
from compute_api.services import security_groups


def _rule(rule: dict, names: dict) -> dict:
    low, high = rule["port_range_min"], rule["port_range_max"]
    if rule["protocol"] and low is None:
        low, high = (1, 65535) if rule["protocol"].upper() in ("TCP", "UDP") else (-1, -1)
    group = rule["remote_group_id"]
    everywhere = "0.0.0.0/0" if rule["ethertype"] == "IPv4" else "::/0"
    return {"id": rule["id"], "parent_group_id": rule["security_group_id"], "ip_protocol": rule["protocol"],
            "from_port": low, "to_port": high,
            "group": {"name": names.get(group, ""), "tenant_id": rule["tenant_id"]} if group else {},
            "ip_range": {} if group else {"cidr": rule["remote_ip_prefix"] or everywhere}}


def view(group: dict, names: dict) -> dict:
    return {"id": group["id"], "name": group["name"], "description": group["description"],
            "tenant_id": group["tenant_id"], "rules": [_rule(r, names) for r in group["security_group_rules"]
                                                       if r["direction"] == "ingress"]}


def _names(found: list[dict]) -> dict:
    return {g["id"]: g["name"] for g in found}


def index(req):
    found = security_groups.index(req.call, everyone="all_tenants" in req.GET)
    offset, limit = wsgi.int_param(req, "offset", 0), wsgi.int_param(req, "limit", 1000)
    return {"security_groups": [view(g, _names(found)) for g in found][offset:offset + limit]}


def _one(req, group: dict) -> dict:
    """The view of one group, with the names of the groups that its rules refer to."""
    others = {r["remote_group_id"] for r in group["security_group_rules"] if r["remote_group_id"]}
    return {"security_group": view(group, _names(security_groups.by_ids(req.call, others)))}


def show(req, id):
    return _one(req, security_groups.show(req.call, id))


@wsgi.body(schemas.GROUP)
def create(req, body):
    return _one(req, security_groups.create(req.call, body))


@wsgi.body(schemas.GROUP)
def update(req, id, body):
    return _one(req, security_groups.update(req.call, id, body))


def delete(req, id):
    security_groups.delete(req.call, id)


@wsgi.body(schemas.RULE)
def create_rule(req, body):
    made = security_groups.create_rule(req.call, body["security_group_rule"])
    group = made["remote_group_id"]
    return {"security_group_rule": _rule(made, _names(security_groups.by_ids(req.call, {group} if group else set())))}


def delete_rule(req, id):
    security_groups.delete_rule(req.call, id)


def of_server(req, id):
    found = security_groups.of_server(req.call, id)
    return {"security_groups": [view(g, _names(found)) for g in found]}


def add(req, id, arguments):
    security_groups.change(req.call, id, arguments["name"], adding=True)


def remove(req, id, arguments):
    security_groups.change(req.call, id, arguments["name"], adding=False)
