"""Routers: requests other than those that every resource has."""

from common import schema, wsgi
from network import parsing
from network.handlers import listing, preconditions
from network.schemas.routers import INTERFACE
from network.services import router_interfaces
from network.services.routers import ROUTERS, ROUTES, with_routes

_CHECK_ROUTES = schema.compiled(schema.obj({"routes": ROUTES}, ["routes"]))


def _interface(router: dict, port: dict, subnet_id: str) -> dict:
    return {"id": router["id"], "project_id": router["project_id"], "tenant_id": router["project_id"],
            "network_id": port["network_id"], "port_id": port["id"], "subnet_id": subnet_id, "subnet_ids": [subnet_id],
            "tags": []}


@wsgi.body(INTERFACE)
def add_interface(req, id, body):
    return _interface(*router_interfaces.add(req.call, id, body, preconditions.revision(req)))


@wsgi.body(INTERFACE)
def remove_interface(req, id, body):
    return _interface(*router_interfaces.remove(req.call, id, body, preconditions.revision(req)))


def _routes(req) -> list[dict]:
    body = req.json_object().get("router", {})
    _CHECK_ROUTES(body)
    return parsing.routes(body["routes"] or [], "routes")


def add_routes(req, id):
    return _change_routes(req, id, "add_extraroutes", with_routes(_routes(req)))


def remove_routes(req, id):
    gone = _routes(req)
    return _change_routes(req, id, "remove_extraroutes", lambda old: [r for r in old if r not in gone])


def _change_routes(req, id, rule, edit):
    shown = ROUTERS.change_routes(req.call, id, rule, edit, preconditions.revision(req))
    return {"router": listing.fields(req, shown)}
