"""Consoles of servers."""

from common import errors, schema, wsgi
from compute_api import microversions
from compute_api.schemas import consoles as schemas
from compute_api.services import consoles as service

# By the first microversion that each is valid at.
_CREATE = {since: schema.compiled(body) for since, body in schemas.CREATE.items()}


def create(req, id):
    body = req.json_object()
    _CREATE[max(since for since in _CREATE if req.version >= since)](body)
    asked = body["remote_console"]
    return {"remote_console": {**asked, "url": service.create(req.call, id, asked["protocol"], asked["type"])}}


def action(protocol: str):
    """The handler of an action that the remote-consoles resource replaced."""
    def act(req, id, arguments):
        kind = arguments["type"]
        return wsgi.json_response({"console": {"type": kind, "url": service.create(req.call, id, protocol, kind)}})
    return act


def show_token(req, token):
    """The port is always 0, because consoles do not listen on any port."""
    if req.version < (2, 31):  # only for consoles of Hyper-V
        raise errors.BadRequest("The server could not comply with the request since it is either malformed or otherwise "
                                "incorrect.")
    microversions.check_query(req.call, req.GET, (), since=(2, 99))
    found = service.show(req.call, token)
    return {"console": {"instance_uuid": found["instance_uuid"], "host": found["host"], "port": 0,
                        "internal_access_path": None}}
