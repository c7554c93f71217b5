"""Bodies of requests: ec2."""

from common import schema

SIGNED = {"type": "object", "properties": {
    "access": {"type": "string", "maxLength": 255}, "signature": {"type": "string", "maxLength": 255},
    "params": {"type": "object"}, "headers": {"type": "object"}, "token": {"type": "string", "maxLength": 65535}},
    "required": ["access", "signature"]}
CREATE = schema.obj({"tenant_id": schema.NAME}, ["tenant_id"])
EC2_TOKENS = {"type": "object", "properties": {"credentials": SIGNED, "ec2Credentials": SIGNED}, "minProperties": 1,
              "maxProperties": 1, "additionalProperties": False}
S3_TOKENS = {"type": "object", "properties": {"credentials": SIGNED}, "required": ["credentials"]}
