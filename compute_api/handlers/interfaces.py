"""Network interfaces of a server."""

from common import errors, wsgi
from compute_api import microversions, networks
from compute_api.schemas import interfaces as schemas
from compute_api.services import interfaces, servers


def _view(req, row: dict, port: dict, tag: str | None = None) -> dict:
    """:param row: the server :param tag: of an interface that is not in the server's network_info yet"""
    shown = {"port_id": port["id"], "net_id": port["network_id"], "mac_addr": port["mac_address"],
             "port_state": port["status"], "fixed_ips": port["fixed_ips"]}
    if req.version >= (2, 70):
        shown["tag"] = tag or next((p.get("tag") for p in row["network_info"] if p["id"] == port["id"]), None)
    return shown


def index(req, id):
    row = servers.get(req.call, id, "os_compute_api:os-attach-interfaces:list")
    return {"interfaceAttachments": [_view(req, row, p) for p in networks.ports_of(req.call, row)]}


def show(req, id, port_id):
    row = servers.get(req.call, id, "os_compute_api:os-attach-interfaces:show")
    return {"interfaceAttachment": _view(req, row, interfaces.one(req.call, row, port_id))}


@wsgi.body(schemas.BODY)
def create(req, id, body):
    given = body["interfaceAttachment"]
    microversions.check_names(req.call, given, {"tag": (2, 49)})
    if given.get("net_id") and given.get("port_id"):
        raise errors.BadRequest("Must not input both network_id and port_id")
    if given.get("fixed_ips") and not given.get("net_id"):
        raise errors.BadRequest("Must input network_id when request IP address")
    row, port = interfaces.create(req.call, id, given)
    return {"interfaceAttachment": _view(req, row, port, given.get("tag"))}


def delete(req, id, port_id):
    interfaces.delete(req.call, id, port_id)
