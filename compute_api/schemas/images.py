"""Bodies of requests: images."""

from common import schema

METADATA_MERGE = schema.obj({"metadata": schema.METADATA}, ["metadata"])
METADATA_REPLACE = schema.obj({"metadata": schema.METADATA}, ["metadata"])
METADATA_SET = schema.obj({"meta": {**schema.METADATA, "maxProperties": 1, "minProperties": 1}}, ["meta"])
