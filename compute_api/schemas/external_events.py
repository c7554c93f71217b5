"""Bodies of requests: external events."""

from common import schema
from compute_api.services.external_events import SINCE

IP = {"type": "string", "format": "ip-address"}
FIXED = schema.obj({"subnet_id": schema.UUID, "ip_address": IP}, ["subnet_id", "ip_address"])
FLOATING = schema.obj({"floating": IP, "fixed": IP}, ["floating", "fixed"])
GROUP = schema.obj({"id": schema.UUID, "name": schema.TEXT}, ["id", "name"])
PORT = schema.obj({
    "id": schema.UUID, "network_id": schema.UUID, "network_name": schema.TEXT, "mac_address": {"type": "string", "maxLength": 32},
    "fixed_ips": {"type": "array", "items": FIXED},
    "floating_ips": {"type": "array", "items": FLOATING},
    "security_groups": {"type": "array", "items": GROUP}},
    ["id", "network_id", "network_name", "mac_address", "fixed_ips", "floating_ips"])
BODY = schema.obj({"events": {"type": "array", "maxItems": 256, "items": schema.obj({
    "name": {"enum": ["network-changed", "network-vif-plugged", "network-vif-unplugged", "network-vif-deleted", *SINCE]},
    # Not of OpenStack's API: the network service says at once what has changed.
    "ports": {"type": "array", "maxItems": 256, "items": PORT},
    "server_uuid": schema.UUID, "status": schema.TEXT, "tag": schema.TEXT}, ["name", "server_uuid"])}}, ["events"])
