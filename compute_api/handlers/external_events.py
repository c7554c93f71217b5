"""What other services report about servers."""

from common import errors, schema, wsgi
from compute_api.services import external_events
from compute_api.services.external_events import EXTENDED

_IP = {"type": "string", "format": "ip-address"}
_FIXED = schema.obj({"subnet_id": schema.UUID, "ip_address": _IP}, ["subnet_id", "ip_address"])
_FLOATING = schema.obj({"floating": _IP, "fixed": _IP}, ["floating", "fixed"])
_PORT = schema.obj({
    "id": schema.UUID, "network_id": schema.UUID, "network_name": schema.TEXT, "mac_address": {"type": "string", "maxLength": 32},
    "fixed_ips": {"type": "array", "items": _FIXED},
    "floating_ips": {"type": "array", "items": _FLOATING}},
    ["id", "network_id", "network_name", "mac_address", "fixed_ips", "floating_ips"])
_BODY = schema.obj({"events": {"type": "array", "maxItems": 256, "items": schema.obj({
    "name": {"enum": ["network-changed", "network-vif-plugged", "network-vif-unplugged", "network-vif-deleted", EXTENDED]},
    # Not of OpenStack's API: the network service says at once what has changed.
    "ports": {"type": "array", "maxItems": 256, "items": _PORT},
    "server_uuid": schema.UUID, "status": schema.TEXT, "tag": schema.TEXT}, ["name", "server_uuid"])}}, ["events"])


@wsgi.body(_BODY)
def create(req, body):
    req.svc.policy.check(req.ctx, "os_compute_api:os-server-external-events:create", {})
    if req.version < (2, 51) and any(e["name"] == EXTENDED for e in body["events"]):
        raise errors.BadRequest(f"Invalid input for field/attribute name. Value: {EXTENDED}. It is an event since 2.51.")
    found = []
    for event in body["events"]:
        code = external_events.receive(req.call, event)
        shown = {k: v for k, v in event.items() if k != "ports"}
        found.append({**shown, "status": "completed" if code == 200 else "failed", "code": code})
    worst = 200 if all(e["code"] == 200 for e in found) else 207
    return wsgi.json_response({"events": found}, worst)
