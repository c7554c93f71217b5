"""Floating IPs as the compute API once had them: a view of the network service's, until microversion 2.35.

Source: the compute API reference, "Floating IPs (os-floating-ips) (DEPRECATED)".
"""

from common import errors, schema, wsgi
from common.rest import Path, path
from compute_api import access, networks
from conductor.db import actions


def _ask(req, method: str, where: Path, body=None):
    return req.svc.rest.request(method, "network", where, body=body, ctx=req.ctx)


def _pools(req) -> list[dict]:
    return _ask(req, "GET", path("/v2.0/networks", query={"router:external": True, "fields": ["id", "name"]}))["networks"]


def _views(req, found: list[dict]) -> list[dict]:
    """Two more requests, however many there are."""
    names = {n["id"]: n["name"] for n in _pools(req)} if found else {}
    held = [f["port_id"] for f in found if f["port_id"]]
    ports = {p["id"]: p["device_id"] for p in _ask(req, "GET", path("/v2.0/ports", query={"id": held}))["ports"]} if held else {}
    return [{"id": f["id"], "ip": f["floating_ip_address"], "fixed_ip": f["fixed_ip_address"],
             "instance_id": ports.get(f["port_id"]) or None,
             "pool": names.get(f["floating_network_id"], f["floating_network_id"])} for f in found]


def pools(req):
    req.svc.policy.check(req.ctx, "os_compute_api:os-floating-ip-pools", {})
    return {"floating_ip_pools": [{"name": n["name"] or n["id"]} for n in _pools(req)]}


def index(req):
    req.svc.policy.check(req.ctx, "os_compute_api:os-floating-ips:list", access.own(req))
    found = _ask(req, "GET", path("/v2.0/floatingips", query={"project_id": req.ctx.project_id}))["floatingips"]
    offset, limit = wsgi.int_param(req, "offset", 0), wsgi.int_param(req, "limit", 1000)
    return {"floating_ips": _views(req, found)[offset:offset + limit]}


def _get(req, id: str) -> dict:
    try:
        return _ask(req, "GET", path("/v2.0/floatingips/{id}", id))["floatingip"]
    except errors.NotFound:
        raise errors.NotFound(f"Floating IP not found for ID {id}") from None


def show(req, id):
    req.svc.policy.check(req.ctx, "os_compute_api:os-floating-ips:show", access.own(req))
    return {"floating_ip": _views(req, [_get(req, id)])[0]}


_CREATE = schema.compiled({"type": ["object", "null"], "properties": {"pool": {"type": ["string", "null"], "maxLength": 255}},
                           "additionalProperties": False})


def create(req):
    """From the pool named, or the first there is."""
    req.svc.policy.check(req.ctx, "os_compute_api:os-floating-ips:create", access.own(req))
    body = req.json_object() if req.body else {}
    _CREATE(body)
    known = _pools(req)
    wanted = (body or {}).get("pool")
    network = next((n["id"] for n in known if wanted in (None, n["id"], n["name"])), None)
    if network is None:
        raise errors.NotFound("Floating IP pool not found.")
    try:
        made = _ask(req, "POST", path("/v2.0/floatingips"), {"floatingip": {"floating_network_id": network}})["floatingip"]
    except errors.Conflict as error:
        raise errors.NotFound(f"No more floating IPs in pool {wanted or network}: {error}") from None
    return {"floating_ip": _views(req, [made])[0]}


def delete(req, id):
    req.svc.policy.check(req.ctx, "os_compute_api:os-floating-ips:delete", access.own(req))
    _get(req, id)
    _ask(req, "DELETE", path("/v2.0/floatingips/{id}", id))


def _of(req, address: str) -> dict:
    found = _ask(req, "GET", path("/v2.0/floatingips", query={"floating_ip_address": address}))["floatingips"]
    if not found:
        raise errors.NotFound(f"Floating IP {address} could not be found.")
    return found[0]


def _begin(req, id: str, rule: str, name: str) -> list[dict]:
    """The server's ports, once its owner is known to ask."""
    with req.svc.db.writer() as connection:
        row = access.server(req, connection, id, rule)
        actions.start(connection, req.ctx, id, name)
    return networks.ports_of(req, row)


def add(req, id, arguments):
    """The action addFloatingIp: to the fixed address named, or to the server's first that is IPv4."""
    ports = _begin(req, id, "os_compute_api:os-floating-ips:add", "addFloatingIp")
    floating, fixed = _of(req, arguments["address"]), arguments.get("fixed_address")
    for port in ports:
        for ip in port["fixed_ips"]:
            if ip["ip_address"] == fixed or (fixed is None and ":" not in ip["ip_address"]):
                _ask(req, "PUT", path("/v2.0/floatingips/{id}", floating["id"]), {"floatingip": {
                    "port_id": port["id"], "fixed_ip_address": ip["ip_address"]}})
                return
    raise errors.BadRequest(f"Specified fixed address not assigned to instance {id}" if fixed else
                            f"No fixed IPs associated to instance {id}")


def remove(req, id, arguments):
    ports = _begin(req, id, "os_compute_api:os-floating-ips:remove", "removeFloatingIp")
    floating = _of(req, arguments["address"])
    if floating["port_id"] not in {p["id"] for p in ports}:
        raise errors.Conflict(f"Floating IP {arguments['address']} is not associated with instance {id}.")
    _ask(req, "PUT", path("/v2.0/floatingips/{id}", floating["id"]), {"floatingip": {"port_id": None}})
