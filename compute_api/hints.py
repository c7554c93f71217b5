"""Scheduler hints: a client's wishes for the placement of its servers.

Source: the compute API reference, "Create server", ``os:scheduler_hints``.
"""

from common import schema
from common.calls import Call
from compute_api import access

NAMES = ("os:scheduler_hints", "OS-SCH-HNT:scheduler_hints")
_SERVERS = {"oneOf": [schema.UUID, {"type": "array", "maxItems": 64, "items": schema.UUID}]}
_TEXT = {"type": "string", "maxLength": 255}
_TEXTS = {"oneOf": [_TEXT, {"type": "array", "maxItems": 64, "items": _TEXT}]}
SCHEMA = {"type": "object", "maxProperties": 32, "properties": {
    "group": schema.UUID, "same_host": _SERVERS, "different_host": _SERVERS, "hosts": _TEXTS,
    "query": {"type": ["string", "object"], "maxLength": 4096, "maxProperties": 16}, "target_cell": _TEXT,
    "different_cell": _TEXTS, "build_near_host_ip": {"type": "string", "format": "ip-address"},
    "cidr": {"type": "string", "pattern": "/[0-9a-f.:]{1,45}"}},
    # For an operator's own scheduler filters.
    "patternProperties": {r"(?!(group|same_host|different_host|hosts|query)\Z)[a-zA-Z0-9_:.\-]{1,255}": {
        "anyOf": [_TEXTS, {"type": ["number", "boolean", "null"]}]}}, "additionalProperties": False}


def of(call: Call, body: dict) -> dict:
    """The hints of a request to create servers. :raises Forbidden: it names hosts, which the caller may not do"""
    holders = (body, body["server"])
    found: dict = next((holder[name] for holder in holders for name in NAMES if name in holder), {})
    if "hosts" in found:
        call.svc.policy.check(call.ctx, "os_compute_api:servers:create:forced_host", access.own(call))
    return found
