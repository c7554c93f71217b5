"""Tokens in requests, and the scopes that are available to a token's owner."""

from common import errors, rows
from common.calls import Call
from identity.db import grants, models


def find_subject(call: Call, token: str, rule: str):
    """The context of the token that a request is about. :raises NotFound: it is not a valid token"""
    try:
        subject = call.svc.verifier.check(token)
    except errors.Unauthorized:
        raise errors.NotFound("Could not find token.") from None
    call.svc.policy.check(call.ctx, rule, {"target.token.user_id": subject.user_id,
                                           "target.token.user.domain.id": subject.user_domain_id})
    return subject


def revoke(call: Call, token: str, *, chain: bool = False) -> None:
    """Revoke a token; with ``chain`` every token of the same login, as at logout."""
    subject = find_subject(call, token, "identity:revoke_token")
    named = {"audit_chain_id": subject.audit_ids[-1]} if chain else {"audit_id": subject.audit_ids[0]}
    with call.svc.db.writer() as connection:
        call.svc.revoke(connection, **named)
    call.svc.revocations.run_once()


def own_targets(call: Call, user_id: str, kind: str) -> list[dict]:
    """The enabled projects or domains on which a user has a role, by name. ``kind``: "project" or "domain"."""
    table = {"project": models.projects, "domain": models.domains}[kind]
    with call.svc.db.reader() as connection:
        ids = grants.targets_of(connection, user_id, kind)
        return rows.select(connection, table, order_by="name", id=ids, enabled=True)


def has_system_role(call: Call) -> bool:
    with call.svc.db.reader() as connection:
        return bool(grants.roles_on(connection, call.ctx.user_id, "system", "all"))
