"""The floating IP proxies of the compute API, until microversion 2.35, and the actions of servers.

Source: the compute API reference, "Floating IPs (os-floating-ips) (DEPRECATED)".
"""

from common import schema, wsgi
from compute_api.schemas import floating_ips as schemas
from compute_api.services import floating_ips

_CREATE = schema.compiled(schemas.CREATE)


def _view(found: dict) -> dict:
    return {"id": found["id"], "ip": found["floating_ip_address"], "fixed_ip": found["fixed_ip_address"],
            "instance_id": found["instance_id"], "pool": found["pool"]}


def pools(req):
    return {"floating_ip_pools": [{"name": n["name"] or n["id"]} for n in floating_ips.pools(req.call)]}


def index(req):
    found = floating_ips.index(req.call)
    offset, limit = wsgi.int_param(req, "offset", 0), wsgi.int_param(req, "limit", 1000)
    return {"floating_ips": [_view(f) for f in found][offset:offset + limit]}


def show(req, id):
    return {"floating_ip": _view(floating_ips.show(req.call, id))}


def create(req):
    body = req.json_object() if req.body else {}
    _CREATE(body)
    return {"floating_ip": _view(floating_ips.create(req.call, body.get("pool")))}


def delete(req, id):
    floating_ips.delete(req.call, id)


def add(req, id, arguments):
    """The action addFloatingIp."""
    floating_ips.add(req.call, id, arguments["address"], arguments.get("fixed_address"))


def remove(req, id, arguments):
    floating_ips.remove(req.call, id, arguments["address"])
