"""Bodies of requests: interfaces."""

from common import schema

BODY = schema.obj({"interfaceAttachment": schema.obj({
    "net_id": schema.UUID, "port_id": schema.UUID,
    "tag": {"type": "string", "minLength": 1, "maxLength": 60, "pattern": "[^,/]*"},
    "fixed_ips": {"type": "array", "minItems": 1, "maxItems": 1, "items": schema.obj(
        {"ip_address": {"type": "string", "maxLength": 64}}, ["ip_address"])}})}, ["interfaceAttachment"])
