"""Locations by requests of their own: a URL is named as an image's data, and read; services ask where an image is."""

from common import wsgi
from image.schemas import locations as schemas
from image.services import locations


def index(req, id):
    return wsgi.json_response(locations.index(req.call, id))


@wsgi.body(schemas.NEW)
def add(req, id, body):
    """202; a task reads what the URL names. With ``validation_data`` the image is active when its hash is what was said."""
    locations.add(req.call, id, body["url"], body.get("validation_data") or {})
    return wsgi.empty(202)


def routes() -> list[wsgi.Route]:
    return [wsgi.Route("GET", "/v2/images/{id}/locations", index), wsgi.Route("POST", "/v2/images/{id}/locations", add, 202)]
