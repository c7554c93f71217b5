"""Bodies of requests: shelved servers."""

from common import schema

UNSHELVE = {"type": ["object", "null", "string"], "maxProperties": 8}
ZONE = {**schema.obj({"availability_zone": schema.NAME}, ["availability_zone"]), "type": ["object", "null"]}
