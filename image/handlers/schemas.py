"""The JSON Schemas with which clients distinguish base properties from custom ones."""

from common import errors
from common.schema import UUID
from image.schemas.images import PROPERTIES
from image.schemas.metadefs import PROPERTY, STRINGS

_READ_ONLY = {"readOnly": True}
_MOMENT = {"type": "string", "format": "date-time", **_READ_ONLY}
_ITEM = {"created_at": _MOMENT, "updated_at": _MOMENT, "self": {"type": "string"}, "schema": {"type": "string"}}
_LINK = {"name": {"type": "string", "maxLength": 80}, "prefix": {"type": "string", "maxLength": 80},
         "properties_target": {"type": "string", "maxLength": 80}, "created_at": _MOMENT, "updated_at": _MOMENT}
_OBJECT = {"name": {"type": "string", "maxLength": 255}, "description": {"type": "string"}, "required": STRINGS,
           "properties": {"type": "object", "additionalProperties": PROPERTY}, **_ITEM}
_TAG = {"name": {"type": "string", "maxLength": 80}, "created_at": _MOMENT, "updated_at": _MOMENT}
_SPACE = {"namespace": {"type": "string", "maxLength": 80}, "display_name": {"type": "string", "maxLength": 80},
          "description": {"type": "string", "maxLength": 500}, "visibility": {"type": "string", "enum": ["public", "private"]},
          "protected": {"type": "boolean"}, "owner": {"type": "string", "maxLength": 255},
          "resource_type_associations": {"type": "array", "items": {"type": "object", "properties": _LINK}},
          "objects": {"type": "array", "items": {"type": "object"}}, "properties": {"type": "object"},
          "tags": {"type": "array", "items": {"type": "object"}}, **_ITEM}
_MEMBER = {"member_id": {"type": "string"}, "image_id": {"type": "string"}, "created_at": {"type": "string"},
           "updated_at": {"type": "string"}, "status": {"type": "string", "enum": ["pending", "accepted", "rejected"]},
           "schema": {"type": "string", **_READ_ONLY}}
_SELF = [{"rel": "self", "href": "{self}"}, {"rel": "describedby", "href": "{schema}"}]


def _one(name: str, properties: dict, links: list | None = None) -> dict:
    return {"name": name, "properties": properties, **({"links": links} if links else {})}


def _many(name: str, one: dict) -> dict:
    """The schema of a page of items."""
    return {"name": name, "properties": {name: {"type": "array", "items": one}, "first": {"type": "string"},
                                         "next": {"type": "string"}, "schema": {"type": "string"}},
            "links": [{"rel": "first", "href": "{first}"}, {"rel": "next", "href": "{next}"},
                      {"rel": "describedby", "href": "{schema}"}]}


def _metadefs() -> dict[str, dict]:
    space, item = _one("namespace", _SPACE, _SELF), _one("object", _OBJECT, _SELF)
    prop, tag, link = _one("property", PROPERTY["properties"]), _one("tag", _TAG), _one("resource_type_association", _LINK)
    return {"namespace": {**space, "required": ["namespace"]}, "namespaces": _many("namespaces", space), "object": item,
            "objects": _many("objects", item), "property": {**prop, "required": ["name", "title", "type"]},
            "properties": {"name": "properties", "properties": {"properties": {"type": "object", "additionalProperties": prop}}},
            "tag": tag, "tags": _many("tags", tag), "resource_type": link,
            "resource_types": _many("resource_type_associations", link)}


_TASK = {"id": {**UUID}, "type": {"type": "string", "enum": ["import", "api_image_import", "location_import"]},
         "status": {"type": "string", "enum": ["pending", "processing", "success", "failure"]},
         "input": {"type": ["null", "object"]}, "result": {"type": ["null", "object"]}, "owner": {"type": "string"},
         "message": {"type": "string"}, "image_id": {"type": ["null", "string"]}, "request_id": {"type": ["null", "string"]},
         "user_id": {"type": ["null", "string"]}, "expires_at": {"type": ["null", "string"]},
         "created_at": {"type": "string"}, "updated_at": {"type": "string"},
         "self": {"type": "string"}, "schema": {"type": "string"}}


def show(req, name):
    found = {"task": lambda req: _one("task", _TASK), "tasks": lambda req: _many("tasks", _one("task", _TASK)),
             "image": image, "images": images, "member": lambda req: _one("member", _MEMBER),
             "members": lambda req: {"name": "members", "properties": {
                 "members": {"type": "array", "items": _one("member", _MEMBER)}, "schema": {"type": "string"}},
                 "links": [{"rel": "describedby", "href": "{schema}"}]}}.get(name)
    if found is None:
        raise errors.NotFound("The resource could not be found.")
    return found(req)


def show_metadef(req, name):
    if name not in _METADEFS:
        raise errors.NotFound("The resource could not be found.")
    return _METADEFS[name]


_METADEFS = _metadefs()


def image(req):
    return {"name": "image", "properties": PROPERTIES, "additionalProperties": {"type": "string"},
            "links": [{"rel": "self", "href": "{self}"}, {"rel": "enclosure", "href": "{file}"},
                      {"rel": "describedby", "href": "{schema}"}]}


def images(req):
    return {"name": "images", "properties": {"images": {"type": "array", "items": image(req)},
                                             "first": {"type": "string"}, "next": {"type": "string"},
                                             "schema": {"type": "string"}},
            "links": [{"rel": "first", "href": "{first}"}, {"rel": "next", "href": "{next}"},
                      {"rel": "describedby", "href": "{schema}"}]}
