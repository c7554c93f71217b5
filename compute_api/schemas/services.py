"""Bodies of requests: services."""

from common import schema

BODY = schema.obj({"status": {"enum": ["enabled", "disabled"]}, "disabled_reason": {
    "type": "string", "minLength": 1, "maxLength": 255}, "forced_down": schema.BOOLEAN})
LEGACY = schema.obj({"host": schema.NAME, "binary": schema.NAME, "disabled_reason": schema.TEXT,
                      "forced_down": schema.BOOLEAN}, ["host", "binary"])
