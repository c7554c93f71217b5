"""Bodies of requests: domain config."""

from common import schema

BODY = schema.obj({"config": {"type": "object", "minProperties": 1, "maxProperties": 64}}, ["config"])
