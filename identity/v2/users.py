"""Users of the default domain. A user's tenant is the project for logins that name none; the user is a member of it."""

from common import errors, rows, schema, wsgi
from identity import targets
from identity.db import grants, models, roles
from identity.handlers import users as v3
from identity.handlers.users import NOUN
from identity.v2 import tenants, tokens

DOMAIN = "default"
_TENANT = {"type": ["string", "null"], "maxLength": 64}
_PROPERTIES = {"id": {"type": "string", "maxLength": 64}, "name": schema.NAME, "username": schema.NAME,
               "password": {"type": ["string", "null"], "maxLength": 4096}, "email": schema.TEXT,
               "enabled": {"type": "boolean"}, "tenantId": _TENANT, "tenant_id": _TENANT}


def view(user: dict) -> dict:
    return {"id": user["id"], "name": user["name"], "username": user["name"], "enabled": user["enabled"],
            "email": user.get("email"), "tenantId": user.get("default_project_id")}


def _as_v3(given: dict) -> dict:
    """The body of v3's request."""
    user = {k: v for k, v in given.items() if k not in ("id", "username", "tenantId", "tenant_id")}
    if "username" in given:
        user.setdefault("name", given["username"])
    for name in ("tenantId", "tenant_id"):
        if name in given:
            user["default_project_id"] = given[name] or None
    return {"user": user}


def _member(req):
    """A function that makes a user a member of the user's tenant, in the same transaction."""
    def then(connection, user: dict) -> None:
        if not user["default_project_id"]:
            return
        project = rows.get(connection, models.projects, user["default_project_id"], resource="project")
        # This grants a role, so the rule for grants is checked, as in v3.
        req.svc.policy.check(req.ctx, "identity:create_grant", targets.of(
            project=project, user=user, role={"name": req.svc.conf.identity.member_role_name}))
        role = roles.ensure(connection, req.svc.conf.identity.member_role_name)
        grants.add(connection, user_id=user["id"], target_type="project", target_id=user["default_project_id"], role_id=role)
    return then


def index(req):
    NOUN.check_list(req)
    wanted = {"domain_id": DOMAIN, **({"name": req.GET["name"]} if "name" in req.GET else {})}
    with req.svc.db.reader() as connection:
        found = rows.select(connection, models.users, *NOUN.in_own_domain(req), **wanted)
    if "name" in req.GET:
        if not found:
            raise errors.NotFound(f"Could not find user: {req.GET['name']}.")
        return {"user": view(found[0])}
    return {"users": [view(r) for r in found], "users_links": []}


def of_tenant(req, id):
    """The users who have a role on a tenant."""
    NOUN.check_list(req)
    with req.svc.db.reader() as connection:
        tenants.known(connection, id)
        found = grants.users_on_project(connection, id, *NOUN.in_own_domain(req))
    return {"users": [view(r) for r in found], "users_links": []}


def show(req, id):
    return {"user": view(NOUN.show(req, id)["user"])}


@wsgi.body(schema.wrapped("user", _PROPERTIES, extra=True))
def create(req, body):
    if not {"name", "username"} & set(body["user"]):
        raise errors.BadRequest("Expecting to find name in user.")
    given = _as_v3(body["user"])
    given["user"]["domain_id"] = DOMAIN
    return {"user": view(NOUN.make(req, given, _member(req))["user"])}


@wsgi.body(schema.wrapped("user", _PROPERTIES, extra=True))
def update(req, id, body):
    given = _as_v3(body["user"])
    then = _member(req) if "default_project_id" in given["user"] else lambda connection, user: None
    return {"user": view(NOUN.change(req, id, given, then)["user"])}


def delete(req, id):
    NOUN.delete(req, id)


@wsgi.body(schema.wrapped("user", {"password": {"type": "string", "maxLength": 4096},
                                   "original_password": {"type": "string", "maxLength": 4096}},
                          ("password", "original_password")))
def own_password(req, id, body):
    """Change one's own password. The response is a new token, since the change revokes the old ones."""
    if req.ctx.user_id != id:
        raise errors.Forbidden("Only the user may change a password by giving the old one.")
    tenant = req.ctx.project_id
    v3.change_password(req, id, body["user"])
    again = {"identity": {"methods": ["password"], "password": {"user": {"id": id, "password": body["user"]["password"]}}},
             "scope": {"project": {"id": tenant}} if tenant else "unscoped"}
    return tokens.describe(req, *req.svc.authenticator.authenticate(again, req.ctx))
