"""Members: the projects that an image is shared with. The owner adds and removes them; each says itself whether it wants it."""

from common import schema, wsgi
from image.db.members import STATUSES
from image.services import members
from image.services.members import view

_ADD = schema.obj({"member": {"type": "string", "minLength": 1, "maxLength": 64}}, ["member"])
_ANSWER = schema.obj({"status": {"enum": list(STATUSES)}}, ["status"], extra=True)


def index(req, id):
    """All members for the owner; a member sees itself."""
    return {"members": [view(m) for m in members.index(req.call, id)], "schema": "/v2/schemas/members"}


def show(req, id, member_id):
    return view(members.show(req.call, id, member_id))


@wsgi.body(_ADD)
def create(req, id, body):
    return view(members.create(req.call, id, body["member"]))


@wsgi.body(_ANSWER)
def update(req, id, member_id, body):
    """Only the member says whether it wants the image in its lists."""
    return view(members.update(req.call, id, member_id, body["status"]))


def delete(req, id, member_id):
    members.delete(req.call, id, member_id)
