"""The location resource: set the URL of a new image's data, and list locations, for services."""

from common import wsgi
from image.schemas import locations as schemas
from image.services import locations


def index(req, id):
    return wsgi.json_response(locations.index(req.call, id))


@wsgi.body(schemas.NEW)
def add(req, id, body):
    """Returns 202; a task downloads the URL. With ``validation_data`` the image becomes active if its hash matches."""
    locations.add(req.call, id, body["url"], body.get("validation_data") or {})
    return wsgi.empty(202)


def routes() -> list[wsgi.Route]:
    return [wsgi.Route("GET", "/v2/images/{id}/locations", index), wsgi.Route("POST", "/v2/images/{id}/locations", add, 202)]
