"""Bodies of requests: registry."""

from common import schema

IMAGE = schema.wrapped("image", {
    "id": schema.UUID, "name": {"type": ["string", "null"], "maxLength": 255}, "owner": {"type": ["string", "null"]},
    "disk_format": {"type": ["string", "null"]}, "container_format": {"type": ["string", "null"]},
    "min_disk": schema.integer(), "min_ram": schema.integer(), "is_public": {"type": "boolean"},
    "protected": {"type": "boolean"}, "properties": {"type": "object", "maxProperties": 128, "additionalProperties": {
        "type": ["string", "null"], "maxLength": 65535}}}, extra=True)
