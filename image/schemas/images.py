"""Attributes of images, and those that clients may send."""

from common import schema
from common.schema import UUID

FORMATS = ["ami", "ari", "aki", "vhd", "vhdx", "vmdk", "raw", "qcow2", "vdi", "iso", "ploop"]
CONTAINERS = ["ami", "ari", "aki", "bare", "ovf", "ova", "docker"]
VISIBILITIES = ["community", "public", "private", "shared"]
_TEXT = {"type": ["null", "string"], "maxLength": 255}
_READ_ONLY = {"readOnly": True}

PROPERTIES: dict[str, dict] = {
    "id": {**UUID, "description": "An identifier for the image"},
    "name": {**_TEXT, "description": "Descriptive name for the image"},
    "status": {"type": "string", **_READ_ONLY, "enum": ["queued", "saving", "active", "killed", "deleted", "uploading",
                                                        "importing", "pending_delete", "deactivated"]},
    "visibility": {"type": "string", "enum": VISIBILITIES, "description": "Scope of image accessibility"},
    "protected": {"type": "boolean", "description": "If true, image will not be deletable."},
    "os_hidden": {"type": "boolean", "description": "If true, image will not appear in default image list response."},
    "checksum": {"type": ["null", "string"], **_READ_ONLY, "maxLength": 32},
    "os_hash_algo": {"type": ["null", "string"], **_READ_ONLY, "maxLength": 64},
    "os_hash_value": {"type": ["null", "string"], **_READ_ONLY, "maxLength": 128},
    "owner": {**_TEXT, "description": "Owner of the image"},
    "size": {"type": ["null", "integer"], **_READ_ONLY}, "virtual_size": {"type": ["null", "integer"], **_READ_ONLY},
    "container_format": {"type": ["null", "string"], "enum": [None, *CONTAINERS]},
    "disk_format": {"type": ["null", "string"], "enum": [None, *FORMATS]},
    "created_at": {"type": "string", **_READ_ONLY}, "updated_at": {"type": "string", **_READ_ONLY},
    "tags": {"type": "array", "items": {"type": "string", "maxLength": 255}, "maxItems": 128},
    "min_ram": {"type": "integer", "minimum": 0, "maximum": 2147483647},
    "min_disk": {"type": "integer", "minimum": 0, "maximum": 2147483647},
    "self": {"type": "string", **_READ_ONLY}, "file": {"type": "string", **_READ_ONLY},
    "schema": {"type": "string", **_READ_ONLY}, "stores": {"type": "string", **_READ_ONLY},
    "locations": {"type": "array", "description": "A set of URLs to access the image file kept in external store",
                  "items": {"type": "object", "required": ["url", "metadata"], "properties": {
                      "url": {"type": "string", "maxLength": 2048}, "metadata": {"type": "object"},
                      "validation_data": {"type": "object", "writeOnly": True}}}},
}
# Changes of locations have rules of their own.
WRITABLE = {k: v for k, v in PROPERTIES.items() if not v.get("readOnly") and k != "locations"}
VALID = schema.compiled({"type": "object", "properties": WRITABLE, "maxProperties": 128, "propertyNames": {
    "minLength": 1, "maxLength": 255}, "additionalProperties": {"type": ["string", "null"], "maxLength": 65535}})
