"""Bodies of requests: credentials."""

from common import schema

PROPERTIES = {"type": schema.NAME, "blob": {"type": ["string", "object"], "maxLength": 65535},
               "user_id": {"type": "string", "maxLength": 64}, "project_id": {"type": ["string", "null"], "maxLength": 64}}
CREATE = schema.wrapped("credential", PROPERTIES, ("type", "blob"))
UPDATE = schema.wrapped("credential", PROPERTIES)
