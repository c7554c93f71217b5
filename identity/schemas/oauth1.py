"""Bodies of requests: oauth1."""

from common import schema

ROLE = {"type": "object", "properties": {"id": schema.NAME, "name": schema.NAME}, "minProperties": 1}
AUTHORIZATION = schema.obj({"roles": {"type": "array", "minItems": 1, "maxItems": 64, "items": ROLE}}, ["roles"])
