"""Bodies of requests: servers."""

from common import schema

UPDATE = {"name": schema.NAME, "OS-DCF:diskConfig": {"enum": ["AUTO", "MANUAL"]},
           "accessIPv4": {"type": ["string", "null"], "maxLength": 39},
           "accessIPv6": {"type": ["string", "null"], "maxLength": 39}, "description": schema.TEXT}
UPDATE_BODY = schema.wrapped("server", UPDATE)
