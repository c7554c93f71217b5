"""Volumes of a server.

The row in ``block_devices`` is made first, so that two requests for one
volume or one device meet at a unique constraint; the agent then reserves,
connects and plugs, and the row goes again if it cannot. What was asked for
stays in the row until it is done: the conductor's reconciler asks again.
"""

from common import wsgi
from compute_api import microversions
from compute_api.schemas import attachments as schemas
from compute_api.services import attachments, servers

_SINCE = {"tag": (2, 49), "delete_on_termination": (2, 79)}


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
    return {"volumeAttachment": attachments.view(req.call, device)}


@wsgi.body(schemas.UPDATE)
def update(req, id, volume_id, body):
    """Whether the volume goes with the server; the other members may be sent, but must say what is."""
    given = body["volumeAttachment"]
    attachments.update(req.call, id, volume_id, given)
    return wsgi.Response(status=202)


def delete(req, id, volume_id):
    attachments.delete(req.call, id, volume_id)
