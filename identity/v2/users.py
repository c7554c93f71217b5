"""Users of the default domain. Logins without a tenant are scoped to the user's tenant, of which the user is a member."""

from common import errors, wsgi
from identity.schemas import v2 as schemas
from identity.services import users as v3
from identity.services import v2
from identity.services.users import NOUN
from identity.services.v2 import DOMAIN
from identity.v2 import tokens


def view(user: dict) -> dict:
    return {"id": user["id"], "name": user["name"], "username": user["name"], "enabled": user["enabled"],
            "email": user.get("email"), "tenantId": user.get("default_project_id")}


def _as_v3(given: dict) -> dict:
    """The equivalent body for v3."""
    user = {k: v for k, v in given.items() if k not in ("id", "username", "tenantId", "tenant_id")}
    if "username" in given:
        user.setdefault("name", given["username"])
    for name in ("tenantId", "tenant_id"):
        if name in given:
            user["default_project_id"] = given[name] or None
    return {"user": user}


def index(req):
    found = v2.named_users(req.call, **({"name": req.GET["name"]} if "name" in req.GET else {}))
    if "name" in req.GET:
        if not found:
            raise errors.NotFound(f"Could not find user: {req.GET['name']}.")
        return {"user": view(found[0])}
    return {"users": [view(r) for r in found], "users_links": []}


def of_tenant(req, id):
    """The users with a role on a tenant."""
    return {"users": [view(r) for r in v2.users_of_tenant(req.call, id)], "users_links": []}


def show(req, id):
    return {"user": view(NOUN.fields(NOUN.show(req.call, id)))}


@wsgi.body(schemas.USER)
def create(req, body):
    if not {"name", "username"} & set(body["user"]):
        raise errors.BadRequest("Expecting to find name in user.")
    given = _as_v3(body["user"])
    given["user"]["domain_id"] = DOMAIN
    return {"user": view(NOUN.fields(NOUN.create(req.call, given, v2.joining(req.call))))}


@wsgi.body(schemas.USER)
def update(req, id, body):
    given = _as_v3(body["user"])
    then = v2.joining(req.call) if "default_project_id" in given["user"] else lambda connection, user: None
    return {"user": view(NOUN.fields(NOUN.update(req.call, id, given, then)))}


def delete(req, id):
    NOUN.delete(req.call, id)


@wsgi.body(schemas.OWN_PASSWORD)
def own_password(req, id, body):
    """Change one's own password. The response is a new token, because the change revokes the old ones."""
    if req.ctx.user_id != id:
        raise errors.Forbidden("Only the user can change a password with the old password.")
    tenant = req.ctx.project_id
    v3.change_password(req.call, id, body["user"])
    again = {"identity": {"methods": ["password"], "password": {"user": {"id": id, "password": body["user"]["password"]}}},
             "scope": {"project": {"id": tenant}} if tenant else "unscoped"}
    return tokens.describe(req, *req.svc.authenticator.authenticate(again, req.ctx))
