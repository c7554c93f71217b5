"""Bodies of requests: federation."""

from common import schema

ENABLED = {"enabled": {"type": "boolean"}, "description": schema.LONG_TEXT}
ID = {"type": "string", "minLength": 1, "maxLength": 64}
URL = {"type": "string", "pattern": "https?://.*", "maxLength": 255}
