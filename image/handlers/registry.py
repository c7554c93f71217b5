"""The registry of version 1: image metadata as JSON, on a port of its own.

The image API used to store its rows there; some tools still read it. Policies and rows are those of the API. A
status, size, checksum or location from the client is ignored, because these follow from uploaded data.
"""

from common import db, wsgi
from image.handlers import images as v2
from image.handlers import v1
from image.schemas import registry as schemas
from image.services import v1 as service
from image.views import readable


def _parsed(body: dict) -> tuple[dict, dict]:
    """({column: value}, {property: text}) of a body, with version 2's names. :raises Forbidden: a reserved name"""
    given = body["image"]
    properties = given.get("properties", {})
    columns = v1.columns({k: v for k, v in given.items() if k != "properties"})
    v1.check(properties, columns)
    return columns, properties


def show(req, id):
    return {"image": v1.view(service.show(req.call, id))}


@wsgi.body(schemas.IMAGE)
def create(req, body):
    columns, properties = _parsed(body)
    return {"image": v1.view(service.register(req.call, {**properties, **columns}))}


@wsgi.body(schemas.IMAGE)
def update(req, id, body):
    columns, properties = _parsed(body)
    columns.pop("id", None)
    purge = wsgi.bool_value(req.headers.get("x-glance-registry-purge-props", "false"))
    row = service.update(req.call, id, columns, properties, purge=purge)
    return {"image": v1.view(readable(req.call, {**row, "updated_at": db.now()}))}


def delete(req, id):
    found = show(req, id)
    v2.delete(req, id)
    return found


def routes() -> list[wsgi.Route]:
    one = "/images/{id}"
    return [wsgi.Route("GET", "/images", v1.index), wsgi.Route("GET", "/images/detail", v1.detail),
            wsgi.Route("POST", "/images", create), wsgi.Route("GET", one, show), wsgi.Route("PUT", one, update),
            wsgi.Route("DELETE", one, delete), *v1.member_routes("")]
