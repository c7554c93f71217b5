"""Scheduler hints: a client's requirements for the placement of its servers.

Source: the compute API reference, "Create server", ``os:scheduler_hints``.
"""

import json

from common.calls import Call
from compute_api import access
from compute_api.schemas.servers import HINT_NAMES


def of(call: Call, body: dict) -> dict:
    """The hints of a request to create servers. :raises Forbidden: it names hosts, and the caller may not"""
    holders = (body, body["server"])
    found: dict = next((holder[name] for holder in holders for name in HINT_NAMES if name in holder), {})
    if "hosts" in found:
        access.check(call, "os_compute_api:servers:create:forced_host")
    return found


def shown(kept: dict) -> dict[str, list[str]]:
    """The hints of a server as OpenStack shows them: a list of strings for each, even if the client sent a single value."""
    values = {name: value if isinstance(value, list) else [value] for name, value in kept.items()}
    return {name: [item if isinstance(item, str) else json.dumps(item) for item in found] for name, found in values.items()}
