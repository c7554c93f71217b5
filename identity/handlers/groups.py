"""Groups of users. Members have the roles of the group."""

from identity.handlers.crud import Crud
from identity.handlers.users import CRUD as USER
from identity.handlers.users import listed
from identity.services import groups

CRUD = Crud(groups.NOUN)
show, create, update, delete = CRUD.show, CRUD.create, CRUD.update, CRUD.delete


def index(req):
    return listed(req, CRUD)


def add(req, id, user_id):
    groups.add(req.call, id, user_id)


def check(req, id, user_id):
    groups.check(req.call, id, user_id)


def remove(req, id, user_id):
    groups.remove(req.call, id, user_id)


def users(req, id):
    """The members of a group."""
    return USER.many(req, groups.members(req.call, id))


def of_user(req, id):
    """The groups of a user."""
    return CRUD.many(req, groups.of_user(req.call, id))
