"""Network interfaces of a server."""

from common import errors, schema, wsgi
from compute_api import access, microversions, networks
from compute_api.handlers.attachments import _steady
from conductor.db import actions

_BODY = schema.obj({"interfaceAttachment": schema.obj({
    "net_id": schema.UUID, "port_id": schema.UUID,
    "tag": {"type": "string", "minLength": 1, "maxLength": 60, "pattern": "[^,/]*"},
    "fixed_ips": {"type": "array", "minItems": 1, "maxItems": 1, "items": schema.obj(
        {"ip_address": {"type": "string", "maxLength": 64}}, ["ip_address"])}})}, ["interfaceAttachment"])


def _view(req, row: dict, port: dict, tag: str | None = None) -> dict:
    """``row``: the server; the tag of an interface that its picture does not show yet is given."""
    shown = {"port_id": port["id"], "net_id": port["network_id"], "mac_addr": port["mac_address"],
             "port_state": port["status"], "fixed_ips": port["fixed_ips"]}
    if req.version >= (2, 70):
        shown["tag"] = tag or next((p.get("tag") for p in row["network_info"] if p["id"] == port["id"]), None)
    return shown


def index(req, id):
    with req.svc.db.reader() as connection:
        row = access.server(req, connection, id, "os_compute_api:os-attach-interfaces:list")
    return {"interfaceAttachments": [_view(req, row, p) for p in networks.ports_of(req, row)]}


def _one(req, row: dict, port_id: str) -> dict:
    found = [port for port in networks.ports_of(req, row) if port["id"] == port_id]
    if not found:
        raise errors.NotFound(f"Port id {port_id} could not be found.")
    return found[0]


def show(req, id, port_id):
    with req.svc.db.reader() as connection:
        row = access.server(req, connection, id, "os_compute_api:os-attach-interfaces:show")
    return {"interfaceAttachment": _view(req, row, _one(req, row, port_id))}


@wsgi.body(_BODY)
def create(req, id, body):
    given = body["interfaceAttachment"]
    microversions.check_names(req, given, {"tag": (2, 49)})
    if given.get("net_id") and given.get("port_id"):
        raise errors.BadRequest("Must not input both network_id and port_id")
    if given.get("fixed_ips") and not given.get("net_id"):
        raise errors.BadRequest("Must input network_id when request IP address")
    with req.svc.db.reader() as connection:
        row = _attachable(req, connection, id)
    request = {**_request(req, row, given), "tag": given.get("tag")}
    with req.svc.db.writer() as connection:
        row = _attachable(req, connection, id)
        actions.start(connection, req.ctx, id, "attach_interface")
    port = req.svc.agents.attach_interface(req.ctx, row["host"], id, request)
    return {"interfaceAttachment": _view(req, row, port, given.get("tag"))}


def _attachable(req, connection, id) -> dict:
    row = access.server(req, connection, id, "os_compute_api:os-attach-interfaces:create")
    access.check_lock(req, row)
    _steady(row, "attach_interface")
    return row


def _request(req, row: dict, given: dict) -> dict:
    """What the agent must attach; checked as the user, since the agent asks as a service."""
    if given.get("port_id"):
        port = networks.port_of(req, given["port_id"], row["project_id"])
        if port["device_id"]:
            raise errors.BadRequest(f"Port {port['id']} is still in use.")
        return {"port": port["id"], "uuid": port["network_id"]}
    network = networks.network_of(req, given["net_id"]) if given.get("net_id") else networks.only_one(req)
    ip = given["fixed_ips"][0]["ip_address"] if given.get("fixed_ips") else None
    if ip:
        networks.check_address_choice(req, network["id"], ip)
    return {"uuid": network["id"], "fixed_ip": ip}


def delete(req, id, port_id):
    with req.svc.db.reader() as connection:
        row = access.server(req, connection, id, "os_compute_api:os-attach-interfaces:delete")
    _one(req, row, port_id)
    with req.svc.db.writer() as connection:
        row = access.server(req, connection, id, "os_compute_api:os-attach-interfaces:delete")
        access.check_lock(req, row)
        _steady(row, "detach_interface")
        actions.start(connection, req.ctx, id, "detach_interface")
    req.svc.agents.detach_interface(req.ctx, row["host"], id, port_id)
