"""Tenants: the projects of the default domain."""

from common import errors, rows, schema, wsgi
from identity.db import models
from identity.handlers.auth import own_targets
from identity.handlers.projects import NOUN

DOMAIN = "default"
_PROPERTIES = {"id": {"type": "string", "maxLength": 64}, "name": {**schema.NAME, "maxLength": 64},
               "description": schema.LONG_TEXT, "enabled": {"type": "boolean"}}


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
    """All tenants at the admin port, one's own at the other; or the one of a name."""
    if req.environ.get("pileus.admin_port"):
        NOUN.check_list(req)
        with req.svc.db.reader() as connection:
            found = rows.select(connection, models.projects, *NOUN.in_own_domain(req), domain_id=DOMAIN)
    else:
        own = own_targets(req, req.ctx.user_id, "project")
        found = sorted((r for r in own if r["domain_id"] == DOMAIN), key=lambda r: r["id"])
    if "name" in req.GET:
        named = [r for r in found if r["name"] == req.GET["name"]]
        if not named:
            raise errors.NotFound(f"Could not find project: {req.GET['name']}.")
        return {"tenant": view(named[0])}
    return {"tenants": [view(r) for r in _paged(req, found)], "tenants_links": []}


def known(connection, id: str) -> dict:
    """:raises NotFound: no tenant of the default domain has that id"""
    return rows.get(connection, models.projects, id, resource="project", domain_id=DOMAIN)


def show(req, id):
    return {"tenant": view(NOUN.show(req, id)["project"])}


@wsgi.body(schema.wrapped("tenant", _PROPERTIES, ("name",), extra=True))
def create(req, body):
    given = {k: v for k, v in body["tenant"].items() if k != "id"}
    return {"tenant": view(NOUN.make(req, {"project": {**given, "domain_id": DOMAIN}})["project"])}


@wsgi.body(schema.wrapped("tenant", _PROPERTIES, extra=True))
def update(req, id, body):
    given = {k: v for k, v in body["tenant"].items() if k != "id"}
    return {"tenant": view(NOUN.change(req, id, {"project": given})["project"])}


def delete(req, id):
    NOUN.delete(req, id)
