"""Bodies of requests: trusts."""

from common import schema

BODY = schema.wrapped("trust", {
    "trustor_user_id": schema.NAME, "trustee_user_id": schema.NAME, "impersonation": {"type": "boolean"},
    "project_id": {"type": ["string", "null"], "maxLength": 64},
    "expires_at": {"type": ["string", "null"], "maxLength": 40},
    "remaining_uses": schema.integer(1, null=True), "allow_redelegation": {"type": "boolean"},
    "redelegation_count": {"type": ["integer", "null"], "minimum": 0, "maximum": 10},
    "roles": {"type": "array", "maxItems": 64, "items": {"type": "object", "properties": {
        "id": schema.NAME, "name": schema.NAME}}}}, ("trustor_user_id", "trustee_user_id", "impersonation"), extra=True)
