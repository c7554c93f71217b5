"""Locations by requests of their own: a URL is named as an image's data, and read; services ask where an image is."""

from common import errors, schema, wsgi
from image import access, locations, quota, web
from image.db import images
from image.handlers.images import require_formats

_NEW = schema.obj({"url": {"type": "string", "minLength": 1, "maxLength": 2048},
                   "validation_data": {"anyOf": [{"type": "object", "maxProperties": 0}, locations.FACTS]}}, ["url"])


def index(req, id):
    with req.svc.db.reader() as connection:
        return wsgi.json_response(locations.of(access.image(req, connection, id, "fetch_image_location")))


@wsgi.body(_NEW)
def add(req, id, body):
    """202; a task reads what the URL names. With ``validation_data`` the image is active when its hash is what was said."""
    known, url = body.get("validation_data") or {}, body["url"]
    if known:
        locations.check_facts(known)
    limits = req.svc.quota.limits_of(id)
    with req.svc.db.reader() as connection:
        owner = access.image(req, connection, id, "add_image_location")["owner"]
    web.target(url, req.svc.conf.image)
    with req.svc.db.writer() as connection:
        row = images.get(connection, id)
        if row["status"] != "queued":
            raise errors.Conflict(f"Locations can be added to queued images only, not in status {row['status']}.")
        require_formats(row)
        req.svc.quota.check(connection, owner, limits, quota.SIZE)
        images.move(connection, id, "import", locations=[{"url": url, "metadata": {}}])
        task = req.svc.imports.begin(connection, req.ctx, row, {"name": "location_import"}, stores=[], kind="location_import",
                                     given={"loc_url": url, "validation_data": known})
    req.svc.imports.start(task, row)
    return wsgi.empty(202)


def routes() -> list[wsgi.Route]:
    return [wsgi.Route("GET", "/v2/images/{id}/locations", index), wsgi.Route("POST", "/v2/images/{id}/locations", add, 202)]
