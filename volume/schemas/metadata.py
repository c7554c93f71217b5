"""Bodies of requests: metadata."""

from common import schema

BODY = schema.obj({"metadata": schema.METADATA}, ["metadata"])
