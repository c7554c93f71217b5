"""Trusts: a user lets another user act with some of the first user's roles on a project."""

import typing

from common import context, errors, rows
from common.calls import Call
from identity import targets
from identity.db import grants, models, trusts
from identity.db import roles as role_queries
from identity.tokens import moment

TABLE = models.trusts


def create(call: Call, given: dict) -> tuple[dict, list[dict]]:
    """Only the trustor can delegate roles, and only roles that the trustor has. Returns the trust and its roles.

    :param given: the body, as the client sent it
    """
    call.svc.policy.check(call.ctx, "identity:create_trust", targets.of(trust=given))
    if given["trustor_user_id"] != call.ctx.user_id:
        raise errors.Forbidden("Only the trustor may create a trust, with a token from the trustor's own login.")
    expires = moment(given.get("expires_at"))
    with call.svc.db.writer() as connection:
        rows.get(connection, models.users, given["trustee_user_id"], resource="user")
        roles = _chosen(connection, call.ctx, given)
        row = {"id": context.new_hex(), "trustor_user_id": call.ctx.user_id, "trustee_user_id": given["trustee_user_id"],
               "project_id": given.get("project_id"), "impersonation": given["impersonation"], "expires_at": expires,
               "remaining_uses": given.get("remaining_uses"), "redelegation_count": given.get("redelegation_count") or 0,
               "redelegated_trust_id": None, "roles": [r["id"] for r in roles]}
        rows.insert(connection, TABLE, row)
    return row, roles


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


def index(call: Call, wanted: dict[str, typing.Any]) -> list[dict]:
    """The trusts of a trustor or of a trustee, or all trusts.

    :param wanted: {"trustor_user_id" or "trustee_user_id": exact value}
    """
    whose = next((f"_for_{k.partition('_')[0]}" for k in wanted), "")
    call.svc.policy.check(call.ctx, f"identity:list_trusts{whose}", targets.of(trust=wanted))
    with call.svc.db.reader() as connection:
        return [t for t in rows.select(connection, TABLE, **wanted) if trusts.alive(t) and call.ctx.trust_id in (None, t["id"])]


def _find(call: Call, connection, id: str, rule: str) -> dict:
    """A valid trust. :raises NotFound: there is none, for every caller; :raises Forbidden: by the rule"""
    row = trusts.find(connection, id)
    if row is None:
        raise errors.NotFound(f"Could not find trust: {id}.")
    call.svc.policy.check(call.ctx, f"identity:{rule}", targets.of(trust=row))
    return row


def _roles(connection, row: dict) -> list[dict]:
    return role_queries.named(connection, row["roles"])


def show(call: Call, id: str):
    with call.svc.db.reader() as connection:
        row = _find(call, connection, id, "get_trust")
        return row, _roles(connection, row)


def delete(call: Call, id: str) -> None:
    with call.svc.db.writer() as connection:
        _find(call, connection, id, "delete_trust")
        rows.delete(connection, TABLE, id, resource="trust")
        call.svc.revoke(connection, trust_id=id)
    call.svc.revocations.run_once()


def roles(call: Call, id: str, rule: str = "list_roles_for_trust") -> list[dict]:
    with call.svc.db.reader() as connection:
        return _roles(connection, _find(call, connection, id, rule))
