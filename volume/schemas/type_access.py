"""Bodies of requests: type access."""

from common import schema

PROJECT = schema.obj({"project": {"type": "string", "minLength": 1, "maxLength": 255}}, ["project"])
