"""Regions."""

from common import errors
from identity.handlers.crud import Crud
from identity.services import regions

CRUD = Crud(regions.NOUN)
index, show, create, update, delete = CRUD.index, CRUD.show, CRUD.create, CRUD.update, CRUD.delete


def put(req, id):
    """Create a region under an id chosen by the client."""
    body = req.json_object()
    given = body.get("region", {}).get("id", id) if isinstance(body.get("region"), dict) else None
    if given != id:
        raise errors.BadRequest("The region id in the URL and in the body must be the same.")
    body["region"]["id"] = id
    return CRUD.one(req, CRUD.noun.create(req.call, body))
