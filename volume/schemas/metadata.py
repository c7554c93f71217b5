"""Bodies of requests: metadata."""

from common import schema

BODY = schema.obj({"metadata": schema.METADATA}, ["metadata"])
ITEM = schema.obj({"meta": schema.METADATA}, ["meta"])
