"""The action that rebuilds a server of a dead host elsewhere."""

import secrets

from common import errors, values, wsgi
from compute_api import microversions
from compute_api.services import evacuations

_SINCE, _UNTIL = {"force": (2, 29)}, {"onSharedStorage": (2, 13), "force": (2, 67)}


def evacuate(req, id, arguments):
    """Since 2.14 nothing is answered; before, a password as in Nova, which the new guest does not get."""
    microversions.check_names(req.call, arguments, _SINCE, _UNTIL)
    shared = _on_shared_storage(req, arguments)
    host, force = arguments.get("host"), values.boolean(arguments.get("force", False), "force")
    if force and host is None:
        raise errors.BadRequest("Can't force to a non-provided destination")
    if shared and "adminPass" in arguments:
        raise errors.BadRequest("admin password can't be changed on existing disk")
    if shared:
        raise errors.BadRequest("Invalid state of instance files on shared storage")
    evacuations.evacuate(req.call, id, host=host, force=force, stopped=req.version >= (2, 95))
    if req.version >= (2, 14):
        return wsgi.empty(200)
    return wsgi.json_response({"adminPass": arguments.get("adminPass") or secrets.token_urlsafe(9)}, 200)


def _on_shared_storage(req, arguments: dict) -> bool:
    """What the request says. Each host of this cloud has its own disks, so True is refused."""
    if req.version >= (2, 14):
        return False
    if "onSharedStorage" not in arguments:
        raise errors.BadRequest("'onSharedStorage' is a required property")
    return values.boolean(arguments["onSharedStorage"], "onSharedStorage")
