"""Bodies of requests: rescue."""

from common import schema

SCHEMA = {"oneOf": [schema.obj({"adminPass": {"type": "string", "minLength": 1, "maxLength": 255},
                                "rescue_image_ref": {"type": "string", "minLength": 1, "maxLength": 255}}),
                    {"type": "null"}]}
