"""Bodies of requests: locations."""

from common import schema
from image.locations import FACTS

NEW = schema.obj({"url": {"type": "string", "minLength": 1, "maxLength": 2048},
                   "validation_data": {"anyOf": [{"type": "object", "maxProperties": 0}, FACTS]}}, ["url"])
