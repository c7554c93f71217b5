"""Rescue: the guest boots from another image with its own disk attached, so that its owner can repair the disk."""

from common import wsgi
from compute_api.create import new_password
from compute_api.services import rescue as service


def rescue(req, id, arguments):
    given = arguments or {}
    password = new_password(given)
    service.rescue(req.call, id, given.get("rescue_image_ref"), password)
    return wsgi.json_response({"adminPass": password}, 200)
