"""The registry of version 1: what an image is, as JSON, on a port of its own. Its data is never here.

Once the image API kept its rows there; some tools still read it. Rules and rows are those of the API: a status, a size, a
checksum or a location that a client names is not taken, since only data that came says what these are.
"""

from common import db, schema, wsgi
from image import access
from image.db import images
from image.handlers import images as v2
from image.handlers import v1

_IMAGE = schema.wrapped("image", {
    "id": schema.UUID, "name": {"type": ["string", "null"], "maxLength": 255}, "owner": {"type": ["string", "null"]},
    "disk_format": {"type": ["string", "null"]}, "container_format": {"type": ["string", "null"]},
    "min_disk": schema.integer(), "min_ram": schema.integer(), "is_public": {"type": "boolean"},
    "protected": {"type": "boolean"}, "properties": {"type": "object", "maxProperties": 128, "additionalProperties": {
        "type": ["string", "null"], "maxLength": 65535}}}, extra=True)


def _said(body: dict) -> tuple[dict, dict]:
    """({column: value}, {property: text}), by version 2's names. :raises Forbidden: a property that is none"""
    given = body["image"]
    properties = given.get("properties", {})
    columns = v1.columns({k: v for k, v in given.items() if k != "properties"})
    v1.check(properties, columns)
    return columns, properties


def show(req, id):
    with req.svc.db.reader() as connection:
        return {"image": v1.view(v2.readable(req, access.image(req, connection, id, "get_image")))}


@wsgi.body(_IMAGE)
def create(req, body):
    columns, properties = _said(body)
    row = v2.new_row(req, {"visibility": "shared", **properties, **columns})
    limits = req.svc.quota.limits(row["owner"])
    with req.svc.db.writer() as connection:
        v2.insert(req, connection, row, limits)
    req.svc.notifier.tell(req.ctx, "image.create", v2.view(row))
    return {"image": v1.view(row)}


@wsgi.body(_IMAGE)
def update(req, id, body):
    columns, properties = _said(body)
    columns.pop("id", None)
    purge = wsgi.bool_value(req.headers.get("x-glance-registry-purge-props", "false"))
    with req.svc.db.writer() as connection:
        row = access.image(req, connection, id)
        v2.check_rights(req, row, columns)
        changed = {**columns, "properties": {**v1.kept(req, row, purge), **properties}}
        v2.check_change(req, row, changed)
        images.update(connection, id, changed)
    row = {**row, **changed, "updated_at": db.now()}
    req.svc.notifier.tell(req.ctx, "image.update", v2.view(row))
    return {"image": v1.view(v2.readable(req, row))}


def delete(req, id):
    found = show(req, id)
    v2.delete(req, id)
    return found


def routes() -> list[wsgi.Route]:
    one = "/images/{id}"
    return [wsgi.Route("GET", "/images", v1.index), wsgi.Route("GET", "/images/detail", v1.detail),
            wsgi.Route("POST", "/images", create), wsgi.Route("GET", one, show), wsgi.Route("PUT", one, update),
            wsgi.Route("DELETE", one, delete), *v1.member_routes("")]
