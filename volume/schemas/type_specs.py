"""Bodies of requests: type specs."""

from common import schema

CREATE = schema.obj({"extra_specs": schema.METADATA}, ["extra_specs"])
UPDATE = {**schema.METADATA, "minProperties": 1, "maxProperties": 1}
