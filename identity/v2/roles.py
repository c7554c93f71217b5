"""OS-KSADM: roles, and the roles of users on tenants."""

from common import wsgi
from identity.handlers.crud import query
from identity.schemas import v2 as schemas
from identity.services import v2
from identity.services.roles import NOUN


def view(role: dict) -> dict:
    return {"id": role["id"], "name": role["name"]}


def index(req):
    return {"roles": [view(r) for r in NOUN.index(req.call, query(req))], "roles_links": []}


def show(req, id):
    return {"role": view(NOUN.show(req.call, id))}


@wsgi.body(schemas.ROLE)
def create(req, body):
    return {"role": view(NOUN.create(req.call, {"role": {k: v for k, v in body["role"].items() if k != "id"}}))}


def delete(req, id):
    NOUN.delete(req.call, id)


def of_user(req, id, user_id):
    return {"roles": [view(r) for r in v2.roles_of(req.call, id, user_id)], "roles_links": []}


def add(req, id, user_id, role_id):
    return {"role": view(v2.give_role(req.call, id, user_id, role_id))}


def remove(req, id, user_id, role_id):
    v2.take_role(req.call, id, user_id, role_id)
