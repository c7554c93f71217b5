"""Definitions of metadata: namespaces of properties, objects and tags."""

from common import schema

STRINGS = {"type": "array", "items": {"type": "string"}}
# The definition of a property: a subset of JSON Schema.
PROPERTY: dict = {"type": "object", "properties": {
    "title": {"type": "string"}, "description": {"type": "string"}, "operators": STRINGS,
    "type": {"type": "string", "enum": ["array", "boolean", "integer", "number", "object", "string", None]},
    "required": STRINGS, "minimum": {"type": "number"}, "maximum": {"type": "number"}, "readonly": {"type": "boolean"},
    "maxLength": {"type": "integer", "minimum": 0}, "minLength": {"type": "integer", "minimum": 0},
    "maxItems": {"type": "integer", "minimum": 0}, "minItems": {"type": "integer", "minimum": 0},
    "pattern": {"type": "string"}, "enum": {"type": "array"}, "default": {}, "uniqueItems": {"type": "boolean"},
    "items": {"type": "object"}, "additionalItems": {"type": "boolean"}}, "required": ["title", "type"]}
NAME = {"type": "string", "minLength": 1, "maxLength": 80}
LINK = schema.obj({"name": NAME, "prefix": {"type": ["string", "null"], "maxLength": 80},
                   "properties_target": {"type": ["string", "null"], "maxLength": 80}}, ["name"], extra=True)
KINDS: dict[str, dict] = {
    "object": schema.obj({"name": NAME, "description": {"type": ["string", "null"]}, "required": {
        "type": "array", "items": {"type": "string"}}, "properties": {"type": "object", "additionalProperties": PROPERTY}},
        ["name"], extra=True),
    "property": {**PROPERTY, "properties": {**PROPERTY["properties"], "name": NAME}, "required": ["name", "title", "type"]},
    "tag": schema.obj({"name": NAME}, ["name"], extra=True)}
TAGS = schema.obj({"tags": {"type": "array", "items": KINDS["tag"], "maxItems": 1000}}, ["tags"], extra=True)
COLUMNS = {"namespace": NAME, "display_name": {"type": ["string", "null"], "maxLength": 80},
            "description": {"type": ["string", "null"], "maxLength": 500}, "visibility": {"enum": ["public", "private"]},
            "protected": {"type": "boolean"}, "owner": {"type": ["string", "null"], "maxLength": 255}}
NAMESPACE = schema.obj({
    **COLUMNS, "resource_type_associations": {"type": "array", "items": LINK},
    "objects": {"type": "array", "items": KINDS["object"]}, "tags": {"type": "array", "items": KINDS["tag"]},
    "properties": {"type": "object", "additionalProperties": PROPERTY}}, ["namespace"], extra=True)
