"""Bodies of requests: application credentials."""

from common import schema
from identity.schemas.access_rules import SCHEMA

BODY = schema.wrapped("application_credential", {
    "name": schema.NAME, "description": schema.LONG_TEXT, "secret": {"type": ["string", "null"], "minLength": 1, "maxLength": 72},
    "expires_at": {"type": ["string", "null"], "maxLength": 40}, "unrestricted": {"type": ["boolean", "null"]},
    "roles": {"type": ["array", "null"], "maxItems": 64, "items": {"type": "object", "properties": {
        "id": schema.NAME, "name": schema.NAME}, "additionalProperties": False, "minProperties": 1}},
    "access_rules": {"type": ["array", "null"], "maxItems": 64, "items": SCHEMA}}, ("name",))
