"""Bodies of requests: agents, and what they host."""

from common import schema

UPDATE = schema.wrapped("agent", {"admin_state_up": {"type": "boolean"}, "description": schema.TEXT})
ADD_NETWORK = schema.obj({"network_id": schema.UUID}, ["network_id"])
ADD_ROUTER = schema.obj({"router_id": schema.UUID}, ["router_id"])
