"""Regions."""

from common import errors, schema
from identity.db import models
from identity.handlers.crud import Noun


def _create(req, connection, values):
    values["description"] = values["description"] or ""


class _RegionNoun(Noun):
    pass


_PROPERTIES = {"id": {"type": "string", "maxLength": 255}, "description": schema.LONG_TEXT,
               "parent_region_id": schema.TEXT}
NOUN = _RegionNoun("region", "regions", models.regions, _PROPERTIES, (), ("parent_region_id",), on_create=_create)
index, show, create, update, delete = NOUN.index, NOUN.show, NOUN.create, NOUN.update, NOUN.delete


def put(req, id):
    """Create a region under an id that the caller chose."""
    body = req.json_object()
    given = body.get("region", {}).get("id", id) if isinstance(body.get("region"), dict) else None
    if given != id:
        raise errors.BadRequest("The region id in the URL and in the body must be the same.")
    body["region"]["id"] = id
    req.json_object = lambda: body
    return NOUN.create(req)
