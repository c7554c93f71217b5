"""Roles and role implications."""

from common import errors, rows, schema
from common.calls import Call
from identity import targets
from identity.db import grants, models
from identity.db import roles as queries
from identity.services.crud import Noun


def _delete(call: Call, connection, row: dict) -> None:
    for user_id in grants.holders(connection, row["id"]):
        call.svc.revoke(connection, user_id=user_id)


def _update(call: Call, connection, old: dict, values: dict) -> None:
    """Tokens with the role are revoked, because they contain its name, and services' policies refer to names."""
    if values.get("name", old["name"]) != old["name"]:
        _delete(call, connection, old)


class _RoleNoun(Noun):
    def fields(self, row: dict):
        return {**super().fields(row), "domain_id": row["domain_id"] or None, "options": {}}

    def rule(self, verb: str, row: dict | None):
        return f"identity:{verb}_domain_role" if row and row.get("domain_id") else f"identity:{verb}_role"

    def list_rule(self, query):
        return "identity:list_domain_roles" if query.get("domain_id", [""])[-1] else "identity:list_roles"

    def where(self, query):
        """The global roles, or those of the requested domain."""
        return [models.roles.c.domain_id == query.get("domain_id", [""])[-1]]


def _create(call: Call, connection, values: dict) -> None:
    values["domain_id"] = values["domain_id"] or ""
    if values["domain_id"]:
        rows.get(connection, models.domains, values["domain_id"], resource="domain")


NOUN = _RoleNoun("role", "roles", models.roles,
                 {"name": schema.NAME, "description": schema.LONG_TEXT,
                  "domain_id": {"type": ["string", "null"], "maxLength": 64}},
                 ("name",), ("name",), on_create=_create, on_update=_update, on_delete=_delete,
                 unknown_first=("get", "update", "delete"))
# A role that implied this one would make its users administrators, invisibly in the list of assignments.
_NEVER_IMPLIED = ("admin",)


def _pair(call: Call, connection, rule: str, prior_id: str, *implied_id: str) -> tuple[dict, dict]:
    """The two roles in a path, or the first twice if it has only one.

    :raises NotFound: there is no such role, for every caller; :raises Forbidden: by the rule
    """
    found = [rows.get(connection, models.roles, id, resource="role") for id in (prior_id, *implied_id)]
    call.svc.policy.check(call.ctx, f"identity:{rule}", targets.of(prior_role=found[0], implied_role=found[-1]))
    return found[0], found[-1]


def inferences(call: Call):
    call.svc.policy.check(call.ctx, "identity:list_role_inference_rules", {})
    with call.svc.db.reader() as connection:
        edges = queries.implications(connection)
        roles = {r["id"]: r for r in rows.select(connection, models.roles)}
    return roles, edges


def implies(call: Call, id: str):
    with call.svc.db.reader() as connection:
        prior, _ = _pair(call, connection, "list_implied_roles", id)
        found = queries.implications(connection, id)
    return prior, found


def implication(call: Call, id: str, implied_id: str):
    with call.svc.db.reader() as connection:
        prior, _ = _pair(call, connection, "get_implied_role", id, implied_id)
        implied = next((e for e in queries.implications(connection, id) if e["id"] == implied_id), None)
    return implied, prior


def implies_it(call: Call, id: str, implied_id: str) -> None:
    with call.svc.db.reader() as connection:
        _pair(call, connection, "check_implied_role", id, implied_id)


def imply(call: Call, id: str, implied_id: str):
    with call.svc.db.writer() as connection:
        prior, implied = _pair(call, connection, "create_implied_role", id, implied_id)
        if implied["domain_id"] and not prior["domain_id"]:
            raise errors.Forbidden("A domain-specific role cannot be implied by a global role.")
        if implied["name"] in _NEVER_IMPLIED:
            raise errors.Forbidden(f"{implied_id} cannot be an implied roles.")
        rows.insert(connection, models.implied_roles, {"prior_role_id": id, "implied_role_id": implied_id},
                    conflict="The role implies the other already.")
    return implied, prior


def unimply(call: Call, id: str, implied_id: str) -> None:
    with call.svc.db.writer() as connection:
        _pair(call, connection, "delete_implied_role", id, implied_id)
        if not rows.delete_where(connection, models.implied_roles, prior_role_id=id, implied_role_id=implied_id):
            raise errors.NotFound(resource="implied role", id=id)
        _delete(call, connection, {"id": id})
    call.svc.revocations.run_once()
