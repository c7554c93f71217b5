"""Bodies of requests: migrations and resizes of servers."""

from common import schema

HOST = {"type": ["string", "null"], "minLength": 1, "maxLength": 255, "pattern": "[A-Za-z0-9._-]*"}
MIGRATE = {"oneOf": [schema.obj({"host": HOST}), {"type": "null"}, {"type": "string"}]}
RESIZE = schema.obj({"flavorRef": {"type": ["string", "integer"], "minLength": 1, "maxLength": 255},
                     "OS-DCF:diskConfig": {"enum": ["AUTO", "MANUAL"]}}, ["flavorRef"])
