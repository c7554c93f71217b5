"""Bodies of requests: users."""

from common import schema

PASSWORD = schema.wrapped("user", {"password": {"type": "string", "maxLength": 4096},
                                   "original_password": {"type": "string", "maxLength": 4096}},
                          ("password", "original_password"))
