"""OS-KSADM: roles, and which of them a user has on a tenant."""

from common import errors, rows, schema, wsgi
from identity.db import grants, models
from identity.handlers.grants import key
from identity.handlers.roles import NOUN
from identity.v2 import tenants


def view(role: dict) -> dict:
    return {"id": role["id"], "name": role["name"]}


def index(req):
    return {"roles": [view(r) for r in NOUN.index(req)["roles"]], "roles_links": []}


def show(req, id):
    return {"role": view(NOUN.show(req, id)["role"])}


@wsgi.body(schema.wrapped("role", {"name": schema.NAME}, ("name",), extra=True))
def create(req, body):
    return {"role": view(NOUN.make(req, {"role": {k: v for k, v in body["role"].items() if k != "id"}})["role"])}


def delete(req, id):
    NOUN.delete(req, id)


def _key(req, connection, verb: str, id: str, user_id: str, role_id: str) -> tuple[dict, dict]:
    """(the key of an assignment, the role); by v3's rules."""
    tenants.known(connection, id)
    role = rows.get(connection, models.roles, role_id, resource="role", domain_id="")
    return key(req, connection, verb, "projects", {"target_id": id, "user_id": user_id, "role_id": role_id}), role


def of_user(req, id, user_id):
    with req.svc.db.reader() as connection:
        tenants.known(connection, id)
        of = key(req, connection, "list", "projects", {"target_id": id, "user_id": user_id})
        found = grants.roles_given(connection, **of)
    return {"roles": [view(r) for r in sorted(found, key=lambda r: r["name"])], "roles_links": []}


def add(req, id, user_id, role_id):
    with req.svc.db.writer() as connection:
        of, role = _key(req, connection, "create", id, user_id, role_id)
        if rows.exists(connection, models.assignments, **of):
            raise errors.Conflict(f"Conflict occurred attempting to store role grant - User {user_id} already has role "
                                  f"{role_id} in tenant {id}.")
        grants.add(connection, **of)
    return {"role": view(role)}


def remove(req, id, user_id, role_id):
    with req.svc.db.writer() as connection:
        of, _ = _key(req, connection, "revoke", id, user_id, role_id)
        if not grants.remove(connection, **of):
            raise errors.NotFound(f"Could not find role assignment with role: {role_id}.")
        req.svc.revoke(connection, user_id=user_id, project_id=id)
    req.svc.revocations.run_once()
