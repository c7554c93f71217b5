"""Bodies of requests: imports."""

from common import schema

IMPORT = schema.obj({
    "method": schema.obj({"name": {"type": "string"}, "uri": {"type": "string", "maxLength": 2048}}, ["name"], extra=True),
    "all_stores": {"type": "boolean"}, "all_stores_must_succeed": {"type": "boolean"},
    "stores": {"type": "array", "maxItems": 64, "items": {"type": "string", "maxLength": 255}}}, ["method"], extra=True)
TASK = schema.obj({"type": {"enum": ["import"]}, "input": {"type": "object", "properties": {
    "import_from": {"type": "string", "maxLength": 2048}, "import_from_format": {"type": "string"},
    "image_properties": {"type": "object"}}, "required": ["import_from", "import_from_format", "image_properties"]}},
    ["type", "input"], extra=True)
