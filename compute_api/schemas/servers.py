"""Bodies of requests: servers."""

from common import schema

DEVICES = {"type": "array", "maxItems": 26, "items": {"type": "object", "additionalProperties": False, "properties": {
    "source_type": {"enum": ["volume", "image", "snapshot", "blank"]}, "uuid": {"type": ["string", "null"], "maxLength": 36},
    "destination_type": {"enum": ["volume", "local", None]}, "boot_index": schema.integer(-999, 999, null=True),
    "delete_on_termination": schema.BOOLEAN,
    "device_name": {"type": ["string", "null"], "minLength": 1, "maxLength": 255, "pattern": "[^ ]*"},
    "volume_size": schema.integer(0, 100000, null=True), "guest_format": schema.TEXT, "disk_bus": schema.TEXT,
    "device_type": schema.TEXT, "volume_type": schema.TEXT,
    "no_device": {}, "tag": {"type": "string", "maxLength": 60}, "volume_id": schema.TEXT}}}
# Source: the compute API reference, "Create server", ``os:scheduler_hints``.
HINT_NAMES = ("os:scheduler_hints", "OS-SCH-HNT:scheduler_hints")
_SERVERS = {"oneOf": [schema.UUID, {"type": "array", "maxItems": 64, "items": schema.UUID}]}
_TEXT = {"type": "string", "maxLength": 255}
_TEXTS = {"oneOf": [_TEXT, {"type": "array", "maxItems": 64, "items": _TEXT}]}
HINTS = {"type": "object", "maxProperties": 32, "properties": {
    "group": schema.UUID, "same_host": _SERVERS, "different_host": _SERVERS, "hosts": _TEXTS,
    "query": {"type": ["string", "object"], "maxLength": 4096, "maxProperties": 16}, "target_cell": _TEXT,
    "different_cell": _TEXTS, "build_near_host_ip": {"type": "string", "format": "ip-address"},
    "cidr": {"type": "string", "pattern": "/[0-9a-f.:]{1,45}"}},
    # For an operator's own scheduler filters.
    "patternProperties": {r"(?!(group|same_host|different_host|hosts|query)\Z)[a-zA-Z0-9_:.\-]{1,255}": {
        "anyOf": [_TEXTS, {"type": ["number", "boolean", "null"]}]}}, "additionalProperties": False}
_ID = {"oneOf": [schema.UUID, {"type": "null"}]}
_NETWORK = schema.obj({"uuid": _ID, "tag": {"type": "string", "maxLength": 60}, "port": _ID,
                       "fixed_ip": {"type": ["string", "null"], "format": "ip-address"}})
HOST = {"type": "string", "minLength": 1, "maxLength": 255}
# Image signatures are not verified, so a request for verification is refused.
CERTIFICATES = {"type": "null"}
_COUNT = schema.integer(1)
# What a guest calls itself (RFC 1123, in OpenStack's narrower form).
HOSTNAME = {"type": "string", "minLength": 2, "maxLength": 63, "pattern": "[a-zA-Z0-9]+[a-zA-Z0-9-]*[a-zA-Z0-9]+"}
# Since 2.94 with a domain, and as OpenStack lets it be: with underscores too.
FQDN = {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "[a-zA-Z0-9._-]*"}
KEY_NAME = {"type": ["string", "null"], "minLength": 1, "maxLength": 255}
PERSONALITY = {"type": "array", "maxItems": 64, "items": schema.obj({
    "path": {"type": "string", "minLength": 1, "maxLength": 4096}, "contents": {"type": "string", "maxLength": 1 << 20}},
    ["path", "contents"])}
_SERVER = {
    "name": schema.NAME, "imageRef": {"type": ["string"], "maxLength": 255},
    "flavorRef": {"type": ["string", "integer"], "minLength": 1, "maxLength": 255},
    "adminPass": {"type": "string", "maxLength": 255}, "metadata": schema.METADATA,
    "networks": {"oneOf": [{"type": "array", "maxItems": 16, "items": _NETWORK}, {"enum": ["auto", "none"]}]},
    "OS-DCF:diskConfig": {"enum": ["AUTO", "MANUAL"]}, "accessIPv4": {"type": ["string", "null"]},
    "accessIPv6": {"type": ["string", "null"]}, "host": HOST, "hypervisor_hostname": HOST,
    "trusted_image_certificates": CERTIFICATES, "personality": PERSONALITY,
    "hostname": FQDN,
    "key_name": KEY_NAME, "config_drive": schema.BOOLEAN,
    "user_data": {"type": ["string", "null"], "maxLength": 65535}, "min_count": _COUNT, "max_count": _COUNT,
    "return_reservation_id": schema.BOOLEAN, "availability_zone": schema.TEXT,
    "security_groups": {"type": "array", "maxItems": 50, "items": {"type": "object", "properties": {
        "name": {"type": "string", "minLength": 1, "maxLength": 255}}, "additionalProperties": False}},
    "block_device_mapping_v2": DEVICES, **dict.fromkeys(HINT_NAMES, HINTS), "description": schema.TEXT,
    "tags": {"type": "array", "maxItems": 50, "uniqueItems": True, "items": {
        "type": "string", "minLength": 1, "maxLength": 60, "pattern": "[^,/]+"}}}
CREATE = schema.obj({
    "server": schema.obj(_SERVER, ["name", "flavorRef"]), **dict.fromkeys(HINT_NAMES, HINTS)}, ["server"])
UPDATE = {"name": schema.NAME, "OS-DCF:diskConfig": {"enum": ["AUTO", "MANUAL"]},
           "accessIPv4": {"type": ["string", "null"], "maxLength": 39},
           "accessIPv6": {"type": ["string", "null"], "maxLength": 39}, "description": schema.TEXT,
           "hostname": FQDN, "pinned_availability_zone": {"type": ["string", "null"], "minLength": 1, "maxLength": 255}}
UPDATE_BODY = schema.wrapped("server", UPDATE)
