"""Bodies of requests: types."""

from common import schema

PROPERTIES = {"name": schema.NAME, "description": schema.TEXT, "os-volume-type-access:is_public": schema.BOOLEAN,
               "is_public": schema.BOOLEAN, "extra_specs": schema.METADATA}
CREATE = schema.wrapped("volume_type", PROPERTIES, ("name",))
UPDATE = schema.wrapped("volume_type", PROPERTIES)
