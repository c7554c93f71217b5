"""Volumes of a server.

The row in ``block_devices`` is inserted first, so that a unique constraint catches two requests for the same volume
or device. The agent then reserves, connects and attaches the volume; if it cannot, the row is deleted. The requested
change stays in the row until it is done, so that the conductor's reconciler can send it again.
"""

from common import wsgi
from compute_api import microversions
from compute_api.schemas import attachments as schemas
from compute_api.services import attachments, servers

_SINCE = {"tag": (2, 49), "delete_on_termination": (2, 79)}
_UPDATES = dict.fromkeys(("id", "serverId", "device", "tag", "delete_on_termination"), (2, 85))


def index(req, id):
    microversions.check_query(req.call, req.GET, ("limit", "offset"))
    row = servers.get(req.call, id, "os_compute_api:os-volumes-attachments:index")
    limit, offset = wsgi.int_param(req, "limit", 1000), wsgi.int_param(req, "offset", 0)
    return {"volumeAttachments": [attachments.view(req.call, d) for d in row["block_devices"]][offset:offset + limit]}


def show(req, id, volume_id):
    device = attachments.show(req.call, id, volume_id)
    return {"volumeAttachment": attachments.view(req.call, device)}


@wsgi.body(schemas.BODY)
def create(req, id, body):
    given = body["volumeAttachment"]
    microversions.check_names(req.call, given, _SINCE)
    device = attachments.create(req.call, id, given["volumeId"], given)
    if req.version >= (2, 101):
        return wsgi.empty(202)
    return {"volumeAttachment": attachments.view_of_change(req.call, device)}


@wsgi.body(schemas.UPDATE)
def update(req, id, volume_id, body):
    """Change delete_on_termination. Other members may be sent, but must equal the current values."""
    given = body["volumeAttachment"]
    microversions.check_names(req.call, given, _UPDATES)
    attachments.update(req.call, id, volume_id, given)
    return wsgi.Response(status=202)


def delete(req, id, volume_id):
    attachments.delete(req.call, id, volume_id)
