"""Bodies of requests: v1."""

from common import schema

MEMBER = schema.obj({"member": schema.obj({"can_share": {"type": "boolean"}}, [], extra=True)}, [], extra=True)
MEMBERS = schema.obj({"memberships": {"type": "array", "maxItems": 1000, "items": schema.obj(
    {"member_id": {"type": "string", "minLength": 1, "maxLength": 64}, "can_share": {"type": "boolean"}}, ["member_id"],
    extra=True)}}, ["memberships"], extra=True)
