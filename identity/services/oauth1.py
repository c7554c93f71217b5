"""OS-OAUTH1: consumers, their request tokens, and access tokens with the roles that users authorized."""

import secrets

from common import errors, rows, schema
from common.calls import Call
from identity.db import grants, models
from identity.db import roles as role_queries
from identity.oauth1 import CONSUMERS, TOKENS, VERIFIER_CHARS, alive
from identity.services.crud import Noun


def _ended(call: Call, connection, row: dict) -> None:
    """Revoke the tokens of a deleted consumer, and those that it obtained with them."""
    for token in rows.select(connection, TOKENS, consumer_id=row["id"]):
        call.svc.revoke(connection, oauth_token_id=token["id"])


CONSUMER = Noun("consumer", "consumers", CONSUMERS, {"description": schema.LONG_TEXT},
                         hidden=("sealed_secret", "secret"), on_delete=_ended)


def authorize(call: Call, id: str, wanted: list[dict]) -> str:
    """Authorize the consumer of a request token for roles of the caller; returns the verifier that the consumer
    needs.

    :param wanted: [{"id" or "name": of a role}]
    """
    call.svc.policy.check(call.ctx, "identity:authorize_request_token", {"request_token_id": id})
    verifier = "".join(secrets.choice(VERIFIER_CHARS) for _ in range(8))
    with call.svc.db.writer() as connection:
        row = rows.find(connection, TOKENS, id, kind="request")
        if row is None or not alive(row):
            raise errors.NotFound(f"Could not find request token: {id}.")
        if row["user_id"] not in (None, call.ctx.user_id):
            raise errors.Forbidden("The request token was authorized by another user.")
        has = grants.roles_on(connection, call.ctx.user_id, "project", row["project_id"])
        chosen = [next((r["id"] for r in has if r["id"] == w.get("id") or r["name"] == w.get("name")), None)
                  for w in wanted]
        if None in chosen:
            raise errors.Unauthorized("Authorizing user does not have role required.")
        rows.update(connection, TOKENS, id, {"user_id": call.ctx.user_id, "roles": sorted(set(chosen)), "verifier": verifier},
                    resource="request token")
    return verifier


def _own(call: Call, connection, id: str, token_id: str, rule: str) -> dict:
    call.svc.policy.check(call.ctx, f"identity:{rule}", {"user_id": id})
    row = rows.find(connection, TOKENS, token_id, kind="access", user_id=id)
    if row is None:
        raise errors.NotFound(f"Could not find access token: {token_id}.")
    return row


def index(call: Call, id: str):
    call.svc.policy.check(call.ctx, "identity:list_access_tokens", {"user_id": id})
    with call.svc.db.reader() as connection:
        rows.get(connection, models.users, id, resource="user")
        return [row for row in rows.select(connection, TOKENS, user_id=id, kind="access") if alive(row)]


def show(call: Call, id: str, token_id: str):
    with call.svc.db.reader() as connection:
        return _own(call, connection, id, token_id, "get_access_token")


def delete(call: Call, id: str, token_id: str) -> None:
    with call.svc.db.writer() as connection:
        _own(call, connection, id, token_id, "delete_access_token")
        rows.delete(connection, TOKENS, token_id, resource="access token")
        call.svc.revoke(connection, oauth_token_id=token_id)
    call.svc.revocations.run_once()


def roles(call: Call, id: str, token_id: str, rule: str = "list_access_token_roles") -> list[dict]:
    with call.svc.db.reader() as connection:
        return role_queries.named(connection, _own(call, connection, id, token_id, rule)["roles"])
