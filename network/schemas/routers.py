"""Bodies of requests: interfaces of routers."""

from common import schema

INTERFACE = schema.obj({"subnet_id": schema.UUID, "port_id": schema.UUID})
