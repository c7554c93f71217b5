"""Users and their passwords."""

from common import wsgi
from identity.handlers.crud import Crud, query
from identity.handlers.projects import CRUD as PROJECT
from identity.schemas import users as schemas
from identity.services import auth, users

CRUD = Crud(users.NOUN)
show, create, update, delete = CRUD.show, CRUD.create, CRUD.update, CRUD.delete


def listed(req, crud: Crud) -> dict:
    """A list of resources that may be in a directory."""
    found, truncated = req.svc.directories.listed(req.call, crud.noun, query(req))
    return {**crud.many(req, found), **({"truncated": True} if truncated else {})}


def index(req):
    return listed(req, CRUD)


@wsgi.body(schemas.PASSWORD)
def password(req, id, body):
    """Change one's own password, authenticated by the old one, because with an expired password users have no token."""
    users.change_password(req.call, id, body["user"])


def projects(req, id):
    users.check_known(req.call, "list_user_projects", id)
    return PROJECT.many(req, auth.own_targets(req.call, id, "project"))


def revoke_tokens(req, id):
    """Revoke all tokens of a user, for example one whose password is stored in a directory or by an identity provider."""
    users.revoke_tokens(req.call, id)
