"""Floating IPs as the compute API once had them: a view of the network service's, until microversion 2.35.

Source: the compute API reference, "Floating IPs (os-floating-ips) (DEPRECATED)".
"""

from common import errors, schema, wsgi
from common.rest import Path, path
from compute_api import access
from compute_api.schemas import floating_ips as schemas
from compute_api.services import floating_ips


def _ask(req, method: str, where: Path, body=None):
    return floating_ips.ask(req.call, method, where, body)


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
    req.svc.policy.check(req.ctx, "os_compute_api:os-floating-ips:list", access.own(req.call))
    found = _ask(req, "GET", path("/v2.0/floatingips", query={"project_id": req.ctx.project_id}))["floatingips"]
    offset, limit = wsgi.int_param(req, "offset", 0), wsgi.int_param(req, "limit", 1000)
    return {"floating_ips": _views(req, found)[offset:offset + limit]}


def _get(req, id: str) -> dict:
    try:
        return _ask(req, "GET", path("/v2.0/floatingips/{id}", id))["floatingip"]
    except errors.NotFound:
        raise errors.NotFound(f"Floating IP not found for ID {id}") from None


def show(req, id):
    req.svc.policy.check(req.ctx, "os_compute_api:os-floating-ips:show", access.own(req.call))
    return {"floating_ip": _views(req, [_get(req, id)])[0]}


_CREATE = schema.compiled(schemas.CREATE)


def create(req):
    """From the pool named, or the first there is."""
    req.svc.policy.check(req.ctx, "os_compute_api:os-floating-ips:create", access.own(req.call))
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
    req.svc.policy.check(req.ctx, "os_compute_api:os-floating-ips:delete", access.own(req.call))
    _get(req, id)
    _ask(req, "DELETE", path("/v2.0/floatingips/{id}", id))


def add(req, id, arguments):
    """The action addFloatingIp."""
    floating_ips.add(req.call, id, arguments["address"], arguments.get("fixed_address"))


def remove(req, id, arguments):
    floating_ips.remove(req.call, id, arguments["address"])
