"""Members: the projects that an image is shared with. The owner adds and removes them; each accepts or rejects the image."""

from common import wsgi
from image.schemas import members as schemas
from image.services import members
from image.services.members import view


def index(req, id):
    """The owner sees all members; a member sees only itself."""
    return {"members": [view(m) for m in members.index(req.call, id)], "schema": "/v2/schemas/members"}


def show(req, id, member_id):
    return view(members.show(req.call, id, member_id))


@wsgi.body(schemas.ADD)
def create(req, id, body):
    return view(members.create(req.call, id, body["member"]))


@wsgi.body(schemas.ANSWER)
def update(req, id, member_id, body):
    """Only the member can accept or reject the image."""
    return view(members.update(req.call, id, member_id, body["status"]))


def delete(req, id, member_id):
    members.delete(req.call, id, member_id)
