"""Bodies of requests: server metadata."""

from common import schema

BODY = schema.obj({"metadata": schema.METADATA}, ["metadata"])
TAG = {"type": "string", "minLength": 1, "maxLength": 60, "pattern": "[^,/]+"}
UPDATE = schema.obj({"meta": {**schema.METADATA, "maxProperties": 1, "minProperties": 1}}, ["meta"])
TAGS_REPLACE = schema.obj({"tags": {"type": "array", "maxItems": 50, "items": TAG}}, ["tags"])
