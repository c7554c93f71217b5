"""Bodies of requests: host aggregates."""

from common import schema

_ZONE = {"type": ["string", "null"], "minLength": 1, "maxLength": 255, "format": "name", "pattern": "[^:]*"}
CREATE = schema.wrapped("aggregate", {"name": schema.NAME, "availability_zone": _ZONE}, ("name",))
UPDATE = schema.obj({"aggregate": {**schema.obj({"name": schema.NAME, "availability_zone": _ZONE}), "minProperties": 1}},
                    ["aggregate"])
_HOST = schema.obj({"host": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "[a-zA-Z0-9._-]*"}}, ["host"])
_METADATA = schema.obj({"metadata": {
    "type": "object", "maxProperties": 1000, "additionalProperties": False,
    "patternProperties": {r"[a-zA-Z0-9\-_:. ]{1,255}": {"type": ["string", "null"], "maxLength": 255}}}}, ["metadata"])
ACTIONS = {"add_host": _HOST, "remove_host": _HOST, "set_metadata": _METADATA}
ACTION = {"oneOf": [schema.obj({name: arguments}, [name]) for name, arguments in ACTIONS.items()]}
IMAGES = schema.obj({"cache": {
    "type": "array", "minItems": 1, "maxItems": 100, "items": schema.obj({"id": schema.UUID}, ["id"])}}, ["cache"])
