"""Bodies of requests: shelved servers."""

from common import schema

UNSHELVE = {"type": ["object", "null", "string"], "maxProperties": 8}
# 2.77 to 2.90.
ZONE = {**schema.obj({"availability_zone": schema.NAME}, ["availability_zone"]), "type": ["object", "null"]}
# Since 2.91. The zone null: the server may from now on be in any.
PLACE = {**schema.obj({"availability_zone": {**schema.NAME, "type": ["string", "null"]}, "host": schema.NAME}),
         "type": ["object", "null"]}
