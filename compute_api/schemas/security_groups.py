"""Bodies of requests: security groups."""

from common import schema

TEXT = {"type": "string", "minLength": 1, "maxLength": 255}
GROUP = schema.wrapped("security_group", {"name": TEXT, "description": {**TEXT, "minLength": 0}}, ("name",))
PORT = schema.integer(-1, 65535, null=True)
RULE = schema.wrapped("security_group_rule", {
    "parent_group_id": schema.UUID, "ip_protocol": {"type": ["string", "null"], "maxLength": 40}, "from_port": PORT,
    "to_port": PORT, "cidr": {"type": ["string", "null"], "maxLength": 64},
    "group_id": {"type": ["string", "null"], "maxLength": 36}}, ("parent_group_id",))
