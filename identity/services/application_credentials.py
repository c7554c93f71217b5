"""Application credentials: a user's roles on one project for a program, without the user's password."""

import json
import secrets
import typing

from common import context, errors, rows
from common.calls import Call
from identity.db import application_credentials as queries
from identity.db import grants, models
from identity.db import roles as role_queries
from identity.services import access_rules
from identity.tokens import moment

TABLE, LINKS = models.application_credentials, models.application_credential_rules
# Limited, because rules are part of the token, which is sent in a header.
_RULES_SIZE = 3000


class Found(typing.NamedTuple):
    """A credential with its roles and access rules; None: no rules, all requests are allowed."""

    row: dict
    roles: list[dict]
    rules: list[dict] | None


def _found(connection, found: list[dict]) -> list[Found]:
    """Credentials with their roles and rules; two statements, for any number of credentials."""
    roles = role_queries.named(connection, {r for row in found for r in row["roles"]})
    rules = queries.rules_of(connection, [row["id"] for row in found])
    return [Found(row, [{"id": r["id"], "name": r["name"]} for r in roles if r["id"] in row["roles"]],
                  [r for r in rules if r["application_credential_id"] == row["id"]] if row["access_restricted"] else None)
            for row in found]


def create(call: Call, id: str, given: dict) -> tuple[Found, str]:
    """Create one for the caller, on the project of the token, with roles of the token. The secret is returned only
    here.

    With a token of an application credential, the new one can have no more roles, no other requests, and no later
    end.

    :param given: the body, as the client sent it
    :returns: the credential, and its secret
    """
    call.svc.policy.check(call.ctx, "identity:create_application_credential", {"user_id": id})
    if id != call.ctx.user_id or not call.ctx.project_id:
        raise errors.Forbidden("An application credential can only be created by its user, with a token for its project.")
    given["access_rules"] = _rules_of(call.ctx, given.get("access_rules"))
    secret = given.get("secret") or secrets.token_urlsafe(48)
    hashed = call.svc.passwords.hash(secret)
    row = {"id": context.new_hex(), "user_id": id, "name": given["name"], "project_id": call.ctx.project_id,
           "description": given.get("description"), "secret_hash": hashed,
           "expires_at": moment(given.get("expires_at")),
           "unrestricted": bool(given.get("unrestricted")), "access_restricted": given.get("access_rules") is not None}
    if len(json.dumps(given.get("access_rules"))) > _RULES_SIZE:
        raise errors.BadRequest("The access rules of an application credential are too long to fit into its tokens.")
    call.svc.verifier.check(call.ctx.token)  # the token may have been revoked while the hash was calculated
    with call.svc.db.writer() as connection:
        row["roles"] = _roles(connection, call.ctx, given.get("roles"))
        row["expires_at"] = _ends(connection, call.ctx, row["expires_at"])
        rows.insert(connection, TABLE, row, conflict=f"Conflict occurred attempting to store application_credential - "
                                                     f"Duplicate entry found with name {row['name']}.")
        for rule_id in dict.fromkeys(access_rules.settle(connection, id, r) for r in given.get("access_rules") or ()):
            rows.insert(connection, LINKS, {"application_credential_id": row["id"], "access_rule_id": rule_id})
        found = _found(connection, [row])[0]
    call.svc.notifier.notify(call.ctx, "identity.application_credential.created", {"resource_info": row["id"]})
    return found, secret


def _rules_of(ctx, wanted: list[dict] | None) -> list[dict] | None:
    """The access rules of a new credential. :raises Forbidden: one allows a request that the caller's own rules do not"""
    if ctx.access_rules is None:
        return wanted
    own = [dict(zip(("service", "method", "path"), rule, strict=True)) for rule in ctx.access_rules]
    if wanted is not None and any({k: v for k, v in rule.items() if k != "id"} not in own for rule in wanted):
        raise errors.Forbidden("An application credential cannot create another one whose access rules allow more than its own.")
    return own if wanted is None else wanted


def _ends(connection, ctx, wanted: float | None) -> float | None:
    """The end of a new credential. :raises Forbidden: later than the end of the one that creates it"""
    if not ctx.app_credential:
        return wanted
    own = rows.get(connection, TABLE, ctx.app_credential[0], resource="application_credential")["expires_at"]
    if own is not None and wanted is not None and wanted > own:
        raise errors.Forbidden("An application credential cannot create another one that expires later.")
    return own if wanted is None else wanted


def _roles(connection, ctx, wanted: list[dict] | None) -> list[str]:
    """The ids of the requested roles, which the caller must have; without a request, all roles of the token."""
    every = grants.roles_on(connection, ctx.user_id, "project", ctx.project_id)
    has = [r for r in every if r["name"] in ctx.roles]
    if not wanted:
        return [r["id"] for r in has]
    has = has if ctx.app_credential else every
    found = []
    for role in wanted:
        match = next((r for r in has if all(r[k] == v for k, v in role.items())), None)
        if match is None:
            raise errors.BadRequest(f"Invalid application credential: Could not find role assignment with role: "
                                    f"{role.get('id') or role.get('name')}.")
        found.append(match["id"])
    return list(dict.fromkeys(found))


def index(call: Call, id: str, wanted: dict[str, typing.Any]) -> list[Found]:
    """:param wanted: {"name": exact value}, or empty"""
    call.svc.policy.check(call.ctx, "identity:list_application_credentials", {"user_id": id})
    with call.svc.db.reader() as connection:
        rows.get(connection, models.users, id, resource="user")
        return _found(connection, rows.select(connection, TABLE, user_id=id, **wanted))


def _one(connection, id: str, credential_id: str) -> dict:
    return rows.get(connection, TABLE, credential_id, resource="application_credential", user_id=id)


def show(call: Call, id: str, credential_id: str) -> Found:
    call.svc.policy.check(call.ctx, "identity:get_application_credential", {"user_id": id})
    with call.svc.db.reader() as connection:
        return _found(connection, [_one(connection, id, credential_id)])[0]


def delete(call: Call, id: str, credential_id: str) -> None:
    """Delete the credential and revoke every token created from it."""
    call.svc.policy.check(call.ctx, "identity:delete_application_credential", {"user_id": id})
    with call.svc.db.writer() as connection:
        row = _one(connection, id, credential_id)
        rows.delete_where(connection, LINKS, application_credential_id=row["id"])
        rows.delete(connection, TABLE, row["id"], resource="application_credential")
        call.svc.revoke(connection, app_credential_id=row["id"])
    call.svc.notifier.notify(call.ctx, "identity.application_credential.deleted", {"resource_info": credential_id})
    call.svc.revocations.run_once()
