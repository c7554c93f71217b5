"""Bodies of requests: access rules."""

from common import schema
from identity.services import access_rules

SCHEMA = {"oneOf": [
    schema.obj({"id": schema.NAME}, ["id"]),
    schema.obj({"service": {"type": "string", "minLength": 1, "maxLength": 64}, "id": schema.NAME,
                "method": {"enum": ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]},
                "path": {"type": "string", "minLength": 1, "maxLength": 128, "pattern": "/.*"}}, access_rules.NAMES)]}
