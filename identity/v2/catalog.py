"""OS-KSADM's services, and endpoints: three URLs for a service in a region, which v3 keeps as three endpoints."""

import json

from common import context, errors, rows, schema, wsgi
from identity.db import endpoints, models
from identity.handlers import endpoints as v3
from identity.handlers.services import NOUN

TABLE = models.endpoints
INTERFACES = ("public", "internal", "admin")
_URL = {"type": ["string", "null"], "maxLength": 2048, "pattern": "[A-Za-z]+://.*"}
SERVICE = "OS-KSADM:service"


def _service(found: dict) -> dict:
    return {k: found.get(k) for k in ("id", "name", "type", "description")}


def services(req):
    return {"OS-KSADM:services": [_service(s) for s in NOUN.index(req)["services"]], "OS-KSADM:services_links": []}


def show_service(req, id):
    return {SERVICE: _service(NOUN.show(req, id)["service"])}


@wsgi.body(schema.wrapped(SERVICE, {"name": schema.TEXT, "type": schema.NAME, "description": schema.LONG_TEXT}, ("type",),
                          extra=True))
def create_service(req, body):
    given = {k: v for k, v in body[SERVICE].items() if k != "id"}
    return {SERVICE: _service(NOUN.make(req, {"service": given})["service"])}


def delete_service(req, id):
    NOUN.delete(req, id)


def _endpoint(id: str, held: list[dict]) -> dict:
    urls = {f"{r['interface']}url": r["url"] for r in held}
    return {"id": id, "region": held[0]["region_id"], "service_id": held[0]["service_id"], **urls}


def index(req):
    req.svc.policy.check(req.ctx, "identity:list_endpoints", {})
    with req.svc.db.reader() as connection:
        return {"endpoints": [{**_endpoint(id, held), "enabled": held[0]["enabled"]}
                              for id, held in endpoints.by_legacy_id(connection).items()]}


@wsgi.body(schema.wrapped("endpoint", {"service_id": schema.NAME, "region": schema.TEXT,
                                       **{f"{i}url": _URL for i in INTERFACES}}, ("service_id", "publicurl"), extra=True))
def create(req, body):
    req.svc.policy.check(req.ctx, "identity:create_endpoint", {})
    given, id = body["endpoint"], context.new_hex()
    with req.svc.db.writer() as connection:
        rows.get(connection, models.services, given["service_id"], resource="service")
        values = {"region": given.get("region"), "region_id": None}
        v3.ensure_region(connection, values)
        held = [{"id": context.new_hex(), "service_id": given["service_id"], "interface": i, "region_id": values["region_id"],
                 "url": given[f"{i}url"], "enabled": True, "extra": json.dumps({"legacy_endpoint_id": id})}
                for i in INTERFACES if given.get(f"{i}url")]
        for row in held:
            rows.insert(connection, TABLE, row)
    return {"endpoint": _endpoint(id, held)}


def delete(req, id):
    req.svc.policy.check(req.ctx, "identity:delete_endpoint", {})
    with req.svc.db.writer() as connection:
        held = endpoints.by_legacy_id(connection).get(id)
        if held is None:
            raise errors.NotFound(f"Could not find endpoint: {id}.")
        rows.delete_where(connection, TABLE, id=[r["id"] for r in held])
