"""Bodies of requests: tags."""

from common import schema

MAX_TAGS = 50
TAG = {"type": "string", "minLength": 1, "maxLength": 255, "format": "line"}
TAGS = schema.obj({"tags": {"type": "array", "items": TAG, "maxItems": MAX_TAGS, "uniqueItems": True}}, ["tags"])
