"""Rescue: the guest runs from another image, with its own disk beside it, so that its owner can mend that."""

import secrets

from common import wsgi
from compute_api.services import rescue as service


def rescue(req, id, arguments):
    given = arguments or {}
    service.rescue(req.call, id, given.get("rescue_image_ref"))
    return wsgi.json_response({"adminPass": given.get("adminPass") or secrets.token_urlsafe(9)}, 200)
