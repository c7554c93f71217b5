"""Body of the request: evacuate."""

from common import schema

SCHEMA = schema.obj({
    "host": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "[a-zA-Z0-9._-]*"},
    "onSharedStorage": schema.BOOLEAN, "adminPass": {"type": "string", "maxLength": 255}, "force": schema.BOOLEAN})
