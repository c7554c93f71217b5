"""Bodies of requests: limits."""

from common import schema

COUNT = schema.integer(-1)
OF = {"service_id": schema.NAME, "region_id": {"type": ["string", "null"], "maxLength": 255}, "resource_name": schema.NAME,
       "description": schema.LONG_TEXT}
