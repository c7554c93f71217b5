"""Security groups as the compute API once had them: a view of the network service's, until microversion 2.35.

The old API knows ingress rules alone; others are left out here and stay as
they are there. Source: the compute API reference, "Security groups
(os-security-groups) (DEPRECATED)".
"""


from common import errors, wsgi
from common.rest import Path, path
from compute_api import access, networks
from compute_api.schemas import security_groups as schemas
from compute_api.services import security_groups, servers


def _ask(req, method: str, where: Path, body=None):
    return security_groups.ask(req.call, method, where, body)


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


def _check(req, rule: str) -> None:
    req.svc.policy.check(req.ctx, rule, access.own(req.call))


def index(req):
    _check(req, "os_compute_api:os-security-groups:get")
    everyone = "all_tenants" in req.GET and access.knows_all(req.call)
    where = path("/v2.0/security-groups", query={} if everyone else {"project_id": req.ctx.project_id})
    found = _ask(req, "GET", where)["security_groups"]
    offset, limit = wsgi.int_param(req, "offset", 0), wsgi.int_param(req, "limit", 1000)
    return {"security_groups": [view(g, _names(found)) for g in found][offset:offset + limit]}


def _named(req, group: dict) -> dict:
    """The view of one group; the groups that its rules name are asked for when there are some."""
    others = {r["remote_group_id"] for r in group["security_group_rules"] if r["remote_group_id"]}
    found = _ask(req, "GET", path("/v2.0/security-groups", query={"id": sorted(others)}))["security_groups"] \
        if others else []
    return view(group, _names(found))


def show(req, id):
    _check(req, "os_compute_api:os-security-groups:show")
    return {"security_group": _named(req, _ask(req, "GET", path("/v2.0/security-groups/{id}", id))["security_group"])}


@wsgi.body(schemas.GROUP)
def create(req, body):
    _check(req, "os_compute_api:os-security-groups:create")
    return {"security_group": _named(req, _ask(req, "POST", path("/v2.0/security-groups"), body)["security_group"])}


@wsgi.body(schemas.GROUP)
def update(req, id, body):
    _check(req, "os_compute_api:os-security-groups:update")
    return {"security_group": _named(req, _ask(req, "PUT", path("/v2.0/security-groups/{id}", id), body)["security_group"])}


def delete(req, id):
    _check(req, "os_compute_api:os-security-groups:delete")
    try:
        _ask(req, "DELETE", path("/v2.0/security-groups/{id}", id))
    except errors.Conflict as error:
        raise errors.BadRequest(str(error)) from None


@wsgi.body(schemas.RULE)
def create_rule(req, body):
    _check(req, "os_compute_api:os-security-groups:rule:create")
    given = body["security_group_rule"]
    low, high = [None if given.get(n) in (None, -1, "-1") else int(given[n]) for n in ("from_port", "to_port")]
    if given.get("group_id") and given.get("cidr"):
        raise errors.BadRequest("A rule names a cidr or a group, not both.")
    if not given.get("ip_protocol") and not given.get("group_id"):
        raise errors.BadRequest("Protocol, from and to ports are required where no group is named.")
    cidr = None if given.get("group_id") else given.get("cidr") or "0.0.0.0/0"
    made = _ask(req, "POST", path("/v2.0/security-group-rules"), {"security_group_rule": {
        "security_group_id": given["parent_group_id"], "direction": "ingress", "protocol": given.get("ip_protocol"),
        "port_range_min": low, "port_range_max": high, "remote_ip_prefix": cidr, "remote_group_id": given.get("group_id"),
        "ethertype": "IPv6" if cidr and ":" in cidr else "IPv4"}})["security_group_rule"]
    names = {}
    if made["remote_group_id"]:
        names = _names([_ask(req, "GET", path("/v2.0/security-groups/{id}", made["remote_group_id"]))["security_group"]])
    return {"security_group_rule": _rule(made, names)}


def delete_rule(req, id):
    _check(req, "os_compute_api:os-security-groups:rule:delete")
    _ask(req, "DELETE", path("/v2.0/security-group-rules/{id}", id))


def of_server(req, id):
    """The security groups of a server's ports."""
    row = servers.get(req.call, id, "os_compute_api:os-security-groups:list")
    ports = networks.ports_of(req.call, row)
    ids = sorted({g for p in ports for g in p["security_groups"]})
    found = _ask(req, "GET", path("/v2.0/security-groups", query={"id": ids}))["security_groups"] if ids else []
    return {"security_groups": [view(g, _names(found)) for g in found]}


def add(req, id, arguments):
    security_groups.change(req.call, id, arguments["name"], adding=True)


def remove(req, id, arguments):
    security_groups.change(req.call, id, arguments["name"], adding=False)
