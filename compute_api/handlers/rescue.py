"""Rescue: the guest boots from another image with its own disk attached, so that its owner can repair the disk."""

import secrets

from common import wsgi
from compute_api.services import rescue as service


def rescue(req, id, arguments):
    given = arguments or {}
    service.rescue(req.call, id, given.get("rescue_image_ref"))
    return wsgi.json_response({"adminPass": given.get("adminPass") or secrets.token_urlsafe(9)}, 200)
