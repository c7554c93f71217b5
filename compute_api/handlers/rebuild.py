"""Rebuild: the server keeps its name, addresses and volumes, and gets a new disk from an image."""

from common import wsgi
from compute_api import create as creation
from compute_api import microversions, views
from compute_api.services import rebuild as service

_SINCE = {"description": (2, 19), "key_name": (2, 54), "user_data": (2, 57), "trusted_image_certificates": (2, 63),
          "hostname": (2, 90)}


def rebuild(req, id, arguments):
    microversions.check_names(req.call, arguments, _SINCE, creation.UNTIL)
    microversions.check_host_name(req.call, arguments)
    password = creation.new_password(arguments)
    row, viewer = service.rebuild(req.call, id, arguments, password)
    response = wsgi.json_response({"server": {**views.updated(req, row, viewer, rebuilt=True), "adminPass": password}}, 202)
    response.location = f"{req.base_url()}/v2.1/servers/{id}"
    return response
