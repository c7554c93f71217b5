"""Bodies of requests: services."""

from common import schema

BODY = schema.obj({"host": schema.NAME, "binary": schema.NAME, "disabled_reason": schema.TEXT}, ["host"], extra=True)
