"""Tenants: the projects of the default domain."""

from common import errors, wsgi
from identity.schemas import v2 as schemas
from identity.services import auth, v2
from identity.services.projects import NOUN
from identity.services.v2 import DOMAIN


def view(project: dict) -> dict:
    return {"id": project["id"], "name": project["name"], "description": project["description"], "enabled": project["enabled"]}


def _paged(req, found: list[dict]) -> list[dict]:
    """``limit`` of them after ``marker``."""
    limit = wsgi.int_param(req, "limit", len(found))
    if "marker" in req.GET:
        at = next((i for i, r in enumerate(found) if r["id"] == req.GET["marker"]), None)
        if at is None:
            raise errors.BadRequest("Marker could not be found.")
        found = found[at + 1:]
    return found[:limit]


def index(req):
    """All tenants at the admin port, the caller's at the other; or the one with a name."""
    if req.environ.get("pileus.admin_port"):
        found = v2.tenants(req.call)
    else:
        own = auth.own_targets(req.call, req.ctx.user_id, "project")
        found = sorted((r for r in own if r["domain_id"] == DOMAIN), key=lambda r: r["id"])
    if "name" in req.GET:
        named = [r for r in found if r["name"] == req.GET["name"]]
        if not named:
            raise errors.NotFound(f"Could not find project: {req.GET['name']}.")
        return {"tenant": view(named[0])}
    return {"tenants": [view(r) for r in _paged(req, found)], "tenants_links": []}


def show(req, id):
    return {"tenant": view(NOUN.show(req.call, id))}


@wsgi.body(schemas.TENANT)
def create(req, body):
    given = {k: v for k, v in body["tenant"].items() if k != "id"}
    return {"tenant": view(NOUN.create(req.call, {"project": {**given, "domain_id": DOMAIN}}))}


@wsgi.body(schemas.TENANT_UPDATE)
def update(req, id, body):
    given = {k: v for k, v in body["tenant"].items() if k != "id"}
    return {"tenant": view(NOUN.update(req.call, id, {"project": given}))}


def delete(req, id):
    NOUN.delete(req.call, id)
