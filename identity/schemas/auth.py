"""Bodies of requests: auth."""

from common import schema

NAMED = {"id": {"type": "string", "maxLength": 64}, "name": {"type": "string", "maxLength": 255},
          "domain": {"type": "object", "properties": {"id": {"type": "string", "maxLength": 64},
                                                      "name": {"type": "string", "maxLength": 255}}}}
REF = {"type": "object", "properties": NAMED}
AUTH = schema.obj({"auth": schema.obj({
    "identity": schema.obj({
        "methods": {"type": "array", "items": {"type": "string", "maxLength": 64}, "minItems": 1, "maxItems": 8},
        "password": schema.obj({"user": {"type": "object", "properties": {
            **NAMED, "password": {"type": "string", "maxLength": 4096}}}}, ["user"]),
        "application_credential": schema.obj({
            "id": schema.NAME, "name": schema.NAME, "secret": {"type": "string", "maxLength": 4096},
            "user": {"type": "object", "properties": NAMED}}, ["secret"]),
        "totp": schema.obj({"user": {"type": "object", "properties": {
            **NAMED, "passcode": {"type": "string", "maxLength": 16}}}}, ["user"]),
        "token": schema.obj({"id": {"type": "string", "maxLength": 8192}}, ["id"])}, ["methods"], extra=True),
    "scope": {"oneOf": [{"type": "string", "enum": ["unscoped"]}, {"type": "object", "properties": {
        "project": REF, "domain": REF, "system": {"type": "object"},
        "OS-TRUST:trust": schema.obj({"id": schema.NAME}, ["id"])}}]}}, ["identity"])}, ["auth"])
