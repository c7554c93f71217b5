"""Role assignments: of a user on a project, a domain or the system."""

import sqlalchemy as sa

from common import errors, rows
from identity.db import grants as queries
from identity.db import models

_TABLES = {"projects": models.projects, "domains": models.domains}


def _key(connection, target, user_id, role_id=None, target_id="all") -> dict:
    rows.get(connection, models.users, user_id, resource="user")
    if target != "system":
        rows.get(connection, _TABLES[target], target_id, resource=target[:-1])
    key = {"user_id": user_id, "target_type": target.rstrip("s") if target != "system" else target,
           "target_id": target_id}
    if role_id:
        rows.get(connection, models.roles, role_id, resource="role")
        key["role_id"] = role_id
    return key


def index(target):
    def handler(req, user_id, target_id="all"):
        req.svc.policy.check(req.ctx, "identity:list_grant", {})
        table, role = models.assignments, models.roles
        with req.svc.db.reader() as connection:
            key = _key(connection, target, user_id, target_id=target_id)
            found = rows.many(connection, sa.select(role).join(table, table.c.role_id == role.c.id).where(
                *[table.c[k] == v for k, v in key.items()]))
        from identity.handlers.roles import NOUN
        return {"roles": [NOUN.view(req, r) for r in found],
                "links": {"self": req.path_url, "next": None, "previous": None}}
    return handler


def add(target):
    def handler(req, user_id, role_id, target_id="all"):
        req.svc.policy.check(req.ctx, "identity:create_grant", {})
        with req.svc.db.writer() as connection:
            queries.add(connection, **_key(connection, target, user_id, role_id, target_id))
    return handler


def check(target):
    def handler(req, user_id, role_id, target_id="all"):
        req.svc.policy.check(req.ctx, "identity:get_grant", {})
        with req.svc.db.reader() as connection:
            key = _key(connection, target, user_id, role_id, target_id)
            if not connection.execute(sa.select(models.assignments).filter_by(**key)).first():
                raise errors.NotFound(f"Could not find role assignment with role: {role_id}.")
    return handler


def remove(target):
    """Taking a role away revokes the user's tokens for that target."""
    def handler(req, user_id, role_id, target_id="all"):
        req.svc.policy.check(req.ctx, "identity:delete_grant", {})
        with req.svc.db.writer() as connection:
            key = _key(connection, target, user_id, role_id, target_id)
            if not queries.remove(connection, **key):
                raise errors.NotFound(f"Could not find role assignment with role: {role_id}.")
            scope = {} if target == "system" else {f"{key['target_type']}_id": target_id}
            req.svc.revoke(connection, user_id=user_id, **scope)
        req.svc.revocations.run_once()
    return handler


def _filters(req) -> dict:
    wanted = {"user_id": req.GET.get("user.id"), "role_id": req.GET.get("role.id")}
    for kind, name in (("project", "scope.project.id"), ("domain", "scope.domain.id")):
        if req.GET.get(name):
            wanted.update(target_type=kind, target_id=req.GET[name])
    if "scope.system" in req.GET:
        wanted.update(target_type="system")
    return {k: v for k, v in wanted.items() if v}


def assignments(req):
    """List assignments; ``effective`` shows implied roles in place of those that imply them."""
    req.svc.policy.check(req.ctx, "identity:list_role_assignment", {"user_id": req.GET.get("user.id")})
    names = "include_names" in req.GET and req.GET["include_names"].lower() not in ("0", "false")
    wanted = _filters(req)
    a, u, r, p, d = (models.assignments, models.users, models.roles, models.projects, models.domains)
    user_domain, project_domain = d.alias(), d.alias()
    query = (sa.select(a, u.c.name.label("user"), u.c.domain_id.label("ud"), user_domain.c.name.label("udn"),
                       r.c.name.label("role"), p.c.name.label("project"), p.c.domain_id.label("pd"),
                       project_domain.c.name.label("pdn"), d.c.name.label("domain"))
             .join(u, u.c.id == a.c.user_id).join(user_domain, user_domain.c.id == u.c.domain_id)
             .join(r, r.c.id == a.c.role_id).outerjoin(p, p.c.id == a.c.target_id)
             .outerjoin(project_domain, project_domain.c.id == p.c.domain_id).outerjoin(d, d.c.id == a.c.target_id))
    effective = "effective" in req.GET
    if effective:
        role_wanted = wanted.pop("role_id", None)
    with req.svc.db.reader() as connection:
        found = rows.many(connection, rows.where_equal(query, a, wanted))
        if effective:
            found = _expand(connection, found, role_wanted)
    return {"role_assignments": [_view(req, row, names) for row in found],
            "links": {"self": req.path_url, "next": None, "previous": None}}


def _expand(connection, found, role_wanted):
    grown = {}
    for row in found:
        for role in queries.roles_on(connection, row["user_id"], row["target_type"], row["target_id"]):
            if role_wanted in (None, role["id"]):
                key = (row["user_id"], row["target_type"], row["target_id"], role["id"])
                grown[key] = {**row, "role_id": role["id"], "role": role["name"]}
    return list(grown.values())


def _view(req, row, names: bool) -> dict:
    kind, base = row["target_type"], req.base_url()
    user: dict = {"id": row["user_id"]}
    role: dict = {"id": row["role_id"]}
    target: dict = {"id": row["target_id"]}
    if names:
        user.update(name=row["user"], domain={"id": row["ud"], "name": row["udn"]})
        role.update(name=row["role"])
        target.update({"name": row["project"], "domain": {"id": row["pd"], "name": row["pdn"]}}
                      if kind == "project" else {"name": row["domain"]})
    scope = {"system": {"all": True}} if kind == "system" else {kind: target}
    path = "system" if kind == "system" else f"{kind}s/{row['target_id']}"
    return {"user": user, "role": role, "scope": scope,
            "links": {"assignment": f"{base}/v3/{path}/users/{row['user_id']}/roles/{row['role_id']}"}}
