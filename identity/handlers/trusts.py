"""Trusts: a user lets another user act with some of the first user's roles on a project."""

from common import context, errors, rows, schema, wsgi
from identity import targets
from identity.db import grants, models, trusts
from identity.db import roles as role_queries
from identity.tokens import moment, stamp

TABLE = models.trusts
_BODY = schema.wrapped("trust", {
    "trustor_user_id": schema.NAME, "trustee_user_id": schema.NAME, "impersonation": {"type": "boolean"},
    "project_id": {"type": ["string", "null"], "maxLength": 64},
    "expires_at": {"type": ["string", "null"], "maxLength": 40},
    "remaining_uses": schema.integer(1, null=True), "allow_redelegation": {"type": "boolean"},
    "redelegation_count": {"type": ["integer", "null"], "minimum": 0, "maximum": 10},
    "roles": {"type": "array", "maxItems": 64, "items": {"type": "object", "properties": {
        "id": schema.NAME, "name": schema.NAME}}}}, ("trustor_user_id", "trustee_user_id", "impersonation"), extra=True)
_HIDDEN = ("roles", "expires_at")


def _view(req, row: dict, roles: list[dict] | None = None) -> dict:
    base = f"{req.base_url()}/v3/OS-TRUST/trusts/{row['id']}"
    shown = {k: v for k, v in row.items() if k not in _HIDDEN}
    shown.update(expires_at=stamp(row["expires_at"]) if row["expires_at"] else None, deleted_at=None,
                 links={"self": base}, roles_links={"self": f"{base}/roles", "next": None, "previous": None})
    if roles is not None:
        shown["roles"] = [_role(req, r) for r in roles]
    return shown


def _role(req, role: dict) -> dict:
    return {"id": role["id"], "name": role["name"], "links": {"self": f"{req.base_url()}/v3/roles/{role['id']}"}}


@wsgi.body(_BODY)
def create(req, body):
    """Only the trustor may delegate roles, and only roles that the trustor has."""
    given = body["trust"]
    req.svc.policy.check(req.ctx, "identity:create_trust", targets.of(trust=given))
    if given["trustor_user_id"] != req.ctx.user_id:
        raise errors.Forbidden("Only the trustor may create a trust, with a token from the trustor's own login.")
    expires = moment(given.get("expires_at"))
    with req.svc.db.writer() as connection:
        rows.get(connection, models.users, given["trustee_user_id"], resource="user")
        roles = _chosen(connection, req.ctx, given)
        row = {"id": context.new_hex(), "trustor_user_id": req.ctx.user_id, "trustee_user_id": given["trustee_user_id"],
               "project_id": given.get("project_id"), "impersonation": given["impersonation"], "expires_at": expires,
               "remaining_uses": given.get("remaining_uses"), "redelegation_count": given.get("redelegation_count") or 0,
               "redelegated_trust_id": None, "roles": [r["id"] for r in roles]}
        rows.insert(connection, TABLE, row)
    return {"trust": _view(req, row, roles)}


def _chosen(connection, ctx, given: dict) -> list[dict]:
    wanted = given.get("roles") or []
    if bool(given.get("project_id")) != bool(wanted):
        raise errors.BadRequest("A trust needs both a project and roles, or neither of them.")
    if not wanted:
        return []
    has = grants.roles_on(connection, ctx.user_id, "project", given["project_id"])
    chosen = []
    for role in wanted:
        found = next((r for r in has if r["id"] == role.get("id") or r["name"] == role.get("name")), None)
        if found is None:
            raise errors.Forbidden("The trustor does not have all of these roles on that project.")
        chosen.append(found)
    return chosen


def index(req):
    """The trusts of a trustor or of a trustee, or all."""
    wanted = {k: req.GET[k] for k in ("trustor_user_id", "trustee_user_id") if k in req.GET}
    whose = next((f"_for_{k.partition('_')[0]}" for k in wanted), "")
    req.svc.policy.check(req.ctx, f"identity:list_trusts{whose}", targets.of(trust=wanted))
    with req.svc.db.reader() as connection:
        found = [t for t in rows.select(connection, TABLE, **wanted) if trusts.alive(t) and req.ctx.trust_id in (None, t["id"])]
    return {"trusts": [_view(req, r) for r in found], "links": {"self": req.path_url, "next": None, "previous": None}}


def _find(req, connection, id: str, rule: str) -> dict:
    """A valid trust. :raises NotFound: there is none, whatever the rule says; :raises Forbidden: by the rule"""
    row = trusts.find(connection, id)
    if row is None:
        raise errors.NotFound(f"Could not find trust: {id}.")
    req.svc.policy.check(req.ctx, f"identity:{rule}", targets.of(trust=row))
    return row


def _roles(connection, row: dict) -> list[dict]:
    return role_queries.named(connection, row["roles"])


def show(req, id):
    with req.svc.db.reader() as connection:
        row = _find(req, connection, id, "get_trust")
        return {"trust": _view(req, row, _roles(connection, row))}


def delete(req, id):
    """The trust ends, and with it every token that was made of it."""
    with req.svc.db.writer() as connection:
        _find(req, connection, id, "delete_trust")
        rows.delete(connection, TABLE, id, resource="trust")
        req.svc.revoke(connection, trust_id=id)
    req.svc.revocations.run_once()


def roles(req, id):
    with req.svc.db.reader() as connection:
        found = _roles(connection, _find(req, connection, id, "list_roles_for_trust"))
    return {"roles": [_role(req, r) for r in found], "links": {"self": req.path_url, "next": None, "previous": None}}


def role(req, id, role_id):
    with req.svc.db.reader() as connection:
        given = _roles(connection, _find(req, connection, id, "get_role_for_trust"))
    found = next((r for r in given if r["id"] == role_id), None)
    if found is None:
        raise errors.NotFound(f"Could not find role: {role_id}.")
    return {"role": _role(req, found)}
