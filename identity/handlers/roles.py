"""Roles and role implications."""

from common import errors, rows, schema
from identity import targets
from identity.db import grants, models
from identity.db import roles as queries
from identity.handlers.crud import Noun


def _delete(req, connection, row):
    for user_id in grants.holders(connection, row["id"]):
        req.svc.revoke(connection, user_id=user_id)


def _update(req, connection, old, values):
    """Tokens name roles, and what a name allows is in the services' rules."""
    if values.get("name", old["name"]) != old["name"]:
        _delete(req, connection, old)


class _RoleNoun(Noun):
    def view(self, req, row):
        return {**super().view(req, row), "domain_id": row["domain_id"] or None, "options": {}}

    def rule(self, verb, row):
        return f"identity:{verb}_domain_role" if row and row.get("domain_id") else f"identity:{verb}_role"

    def list_rule(self, req):
        return "identity:list_domain_roles" if req.GET.get("domain_id") else "identity:list_roles"

    def where(self, req):
        """Everybody's, or those of the one domain that is asked for."""
        return [models.roles.c.domain_id == req.GET.get("domain_id", "")]


def _create(req, connection, values):
    values["domain_id"] = values["domain_id"] or ""
    if values["domain_id"]:
        rows.get(connection, models.domains, values["domain_id"], resource="domain")


NOUN = _RoleNoun("role", "roles", models.roles,
                 {"name": schema.NAME, "description": schema.LONG_TEXT,
                  "domain_id": {"type": ["string", "null"], "maxLength": 64}},
                 ("name",), ("name",), on_create=_create, on_update=_update, on_delete=_delete,
                 unknown_first=("get", "update", "delete"))
index, show, create, update, delete = NOUN.index, NOUN.show, NOUN.create, NOUN.update, NOUN.delete


# A role that implied this one would make its holders administrators, which the list of assignments would not show.
_NEVER_IMPLIED = ("admin",)


def _brief(req, row):
    return {"id": row["id"], "name": row["name"], "links": {"self": f"{req.base_url()}/v3/roles/{row['id']}"}}


def _pair(req, connection, rule: str, prior_id: str, *implied_id: str) -> tuple[dict, dict]:
    """The roles that a path names, the second being the first where it names one.

    :raises NotFound: there is no such role, which anybody is told; :raises Forbidden: by the rule
    """
    found = [rows.get(connection, models.roles, id, resource="role") for id in (prior_id, *implied_id)]
    req.svc.policy.check(req.ctx, f"identity:{rule}", targets.of(prior_role=found[0], implied_role=found[-1]))
    return found[0], found[-1]


def inferences(req):
    req.svc.policy.check(req.ctx, "identity:list_role_inference_rules", {})
    with req.svc.db.reader() as connection:
        edges = queries.implications(connection)
        roles = {r["id"]: r for r in rows.select(connection, models.roles)}
    priors = sorted({e["prior_role_id"] for e in edges})
    return {"role_inferences": [{"prior_role": _brief(req, roles[p]),
                                 "implies": [_brief(req, e) for e in edges if e["prior_role_id"] == p]}
                                for p in priors], "links": {"self": req.path_url, "next": None, "previous": None}}


def implies(req, id):
    with req.svc.db.reader() as connection:
        prior, _ = _pair(req, connection, "list_implied_roles", id)
        found = queries.implications(connection, id)
    return {"role_inference": {"prior_role": _brief(req, prior), "implies": [_brief(req, e) for e in found]},
            "links": {"self": req.path_url}}


def implication(req, id, implied_id):
    """Whether a role implies another directly."""
    with req.svc.db.reader() as connection:
        prior, _ = _pair(req, connection, "get_implied_role", id, implied_id)
        implied = next((e for e in queries.implications(connection, id) if e["id"] == implied_id), None)
    if implied is None:
        raise errors.NotFound(f"{id} does not imply {implied_id}.")
    return {"role_inference": {"prior_role": _brief(req, prior), "implies": _brief(req, implied)},
            "links": {"self": req.path_url}}


def implies_it(req, id, implied_id):
    with req.svc.db.reader() as connection:
        _pair(req, connection, "check_implied_role", id, implied_id)
    implication(req, id, implied_id)


def imply(req, id, implied_id):
    with req.svc.db.writer() as connection:
        prior, implied = _pair(req, connection, "create_implied_role", id, implied_id)
        if implied["domain_id"] and not prior["domain_id"]:
            raise errors.Forbidden("A domain-specific role cannot be implied by a global role.")
        if implied["name"] in _NEVER_IMPLIED:
            raise errors.Forbidden(f"{implied_id} cannot be an implied roles.")
        rows.insert(connection, models.implied_roles, {"prior_role_id": id, "implied_role_id": implied_id},
                    conflict="The role implies the other already.")
    return {"role_inference": {"prior_role": _brief(req, prior), "implies": _brief(req, implied)},
            "links": {"self": req.path_url}}


def unimply(req, id, implied_id):
    """Tokens that carry the implied role are revoked with it."""
    with req.svc.db.writer() as connection:
        _pair(req, connection, "delete_implied_role", id, implied_id)
        if not rows.delete_where(connection, models.implied_roles, prior_role_id=id, implied_role_id=implied_id):
            raise errors.NotFound(resource="implied role", id=id)
        _delete(req, connection, {"id": id})
    req.svc.revocations.run_once()
