"""Bodies of requests: keypairs."""

from common import schema

# Before 2.92, names have neither "@" nor ".", and a key without a public_key is generated.
OLD_NAME = r"(?=.*[^ ])[a-zA-Z0-9 _-]+"
NAME = {"type": "string", "minLength": 1, "maxLength": 255, "pattern": r"(?=.*[^ ])[a-zA-Z0-9 _.@-]+"}
BODY = schema.obj({"keypair": schema.obj({
    "name": NAME, "public_key": {"type": ["string", "null"], "minLength": 1, "maxLength": 16384},
    "type": {"enum": ["ssh", "x509"]}, "user_id": {"type": "string", "maxLength": 64}}, ["name"])}, ["keypair"])
