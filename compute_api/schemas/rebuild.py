"""Bodies of requests: rebuild."""

from common import schema
from compute_api.schemas.servers import CERTIFICATES, FQDN, KEY_NAME, PERSONALITY

SCHEMA = schema.obj({
    "imageRef": {"type": "string", "minLength": 1, "maxLength": 255}, "name": schema.NAME, "hostname": FQDN,
    "metadata": schema.METADATA,
    "adminPass": {"type": "string", "maxLength": 255}, "preserve_ephemeral": schema.BOOLEAN,
    "key_name": KEY_NAME, "user_data": {"type": ["string", "null"], "maxLength": 65535},
    "trusted_image_certificates": CERTIFICATES, "personality": PERSONALITY,
    "OS-DCF:diskConfig": {"enum": ["AUTO", "MANUAL"]}, "description": schema.TEXT,
    "accessIPv4": {"type": ["string", "null"], "maxLength": 39},
    "accessIPv6": {"type": ["string", "null"], "maxLength": 39}}, ["imageRef"])
