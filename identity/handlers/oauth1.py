"""OS-OAUTH1: consumers, the tokens that they ask for, and what users gave them."""

import secrets

from oauthlib import oauth1

from common import context, errors, rows, schema, wsgi
from identity.db import grants, models
from identity.db import roles as role_queries
from identity.handlers.crud import Noun
from identity.oauth1 import CONSUMERS, TOKENS, VERIFIER_CHARS, Keys, alive
from identity.tokens import stamp

_ROLE = {"type": "object", "properties": {"id": schema.NAME, "name": schema.NAME}, "minProperties": 1}
_AUTHORIZATION = schema.obj({"roles": {"type": "array", "minItems": 1, "maxItems": 64, "items": _ROLE}}, ["roles"])


def _ended(req, connection, row: dict) -> None:
    """Revoke the tokens of a deleted consumer, and those that it got with them."""
    for token in rows.select(connection, TOKENS, consumer_id=row["id"]):
        req.svc.revoke(connection, oauth_token_id=token["id"])


class _ConsumerNoun(Noun):
    def view(self, req, row):
        shown = super().view(req, row)
        shown["links"]["self"] = f"{req.base_url()}/v3/OS-OAUTH1/consumers/{row['id']}"
        return shown


CONSUMER = _ConsumerNoun("consumer", "consumers", CONSUMERS, {"description": schema.LONG_TEXT},
                         hidden=("sealed_secret", "secret"), on_delete=_ended)


def create_consumer(req):
    """The only response that contains the secret."""
    secret = context.new_hex()
    made = CONSUMER.make(req, req.json_object(), sealed_secret=req.svc.vault.seal(secret))
    made["consumer"]["secret"] = secret
    return made


def update_consumer(req, id):
    body = req.json_object()
    if "secret" in (body.get("consumer") or {}):
        raise errors.BadRequest("A consumer's secret cannot be changed.")
    return CONSUMER.change(req, id, body)


def _form(text: str) -> wsgi.Response:
    return wsgi.Response(body=text.encode(), status=201, content_type="application/x-www-form-urlencoded")


def request_token(req):
    if "Requested-Project-Id" not in req.headers:
        raise errors.BadRequest("The header Requested-Project-Id is missing.")
    return _form(Keys(req.svc).respond(oauth1.RequestTokenEndpoint, req, "request"))


def access_token(req):
    return _form(Keys(req.svc).respond(oauth1.AccessTokenEndpoint, req, "access"))


@wsgi.body(_AUTHORIZATION)
def authorize(req, id, body):
    """A user authorizes a consumer for some of the user's roles on the requested project, and passes the verifier on to it."""
    req.svc.policy.check(req.ctx, "identity:authorize_request_token", {"request_token_id": id})
    verifier = "".join(secrets.choice(VERIFIER_CHARS) for _ in range(8))
    with req.svc.db.writer() as connection:
        row = rows.find(connection, TOKENS, id, kind="request")
        if row is None or not alive(row):
            raise errors.NotFound(f"Could not find request token: {id}.")
        if row["user_id"] not in (None, req.ctx.user_id):
            raise errors.Forbidden("The request token was authorized by another user.")
        has = grants.roles_on(connection, req.ctx.user_id, "project", row["project_id"])
        chosen = [next((r["id"] for r in has if r["id"] == w.get("id") or r["name"] == w.get("name")), None)
                  for w in body["roles"]]
        if None in chosen:
            raise errors.Unauthorized("Authorizing user does not have role required.")
        rows.update(connection, TOKENS, id, {"user_id": req.ctx.user_id, "roles": sorted(set(chosen)), "verifier": verifier},
                    resource="request token")
    return {"token": {"oauth_verifier": verifier}}


def _view(req, row: dict) -> dict:
    base = f"{req.base_url()}/v3/users/{row['user_id']}/OS-OAUTH1/access_tokens/{row['id']}"
    return {"id": row["id"], "consumer_id": row["consumer_id"], "project_id": row["project_id"],
            "authorizing_user_id": row["user_id"], "expires_at": stamp(row["expires_at"]) if row["expires_at"] else None,
            "links": {"self": base, "roles": f"{base}/roles"}}


def _own(req, connection, id: str, token_id: str, rule: str) -> dict:
    req.svc.policy.check(req.ctx, f"identity:{rule}", {"user_id": id})
    row = rows.find(connection, TOKENS, token_id, kind="access", user_id=id)
    if row is None:
        raise errors.NotFound(f"Could not find access token: {token_id}.")
    return row


def index(req, id):
    req.svc.policy.check(req.ctx, "identity:list_access_tokens", {"user_id": id})
    with req.svc.db.reader() as connection:
        rows.get(connection, models.users, id, resource="user")
        found = rows.select(connection, TOKENS, user_id=id, kind="access")
    return {"access_tokens": [_view(req, r) for r in found if alive(r)],
            "links": {"self": req.path_url, "next": None, "previous": None}}


def show(req, id, token_id):
    with req.svc.db.reader() as connection:
        return {"access_token": _view(req, _own(req, connection, id, token_id, "get_access_token"))}


def delete(req, id, token_id):
    """Revoke an access token, and the tokens that the consumer got with it."""
    with req.svc.db.writer() as connection:
        _own(req, connection, id, token_id, "delete_access_token")
        rows.delete(connection, TOKENS, token_id, resource="access token")
        req.svc.revoke(connection, oauth_token_id=token_id)
    req.svc.revocations.run_once()


def _roles(req, connection, id: str, token_id: str, rule: str) -> list[dict]:
    row = _own(req, connection, id, token_id, rule)
    return [{"id": r["id"], "name": r["name"], "links": {"self": f"{req.base_url()}/v3/roles/{r['id']}"}}
            for r in role_queries.named(connection, row["roles"])]


def roles(req, id, token_id):
    with req.svc.db.reader() as connection:
        found = _roles(req, connection, id, token_id, "list_access_token_roles")
    return {"roles": found, "links": {"self": req.path_url, "next": None, "previous": None}}


def role(req, id, token_id, role_id):
    with req.svc.db.reader() as connection:
        found = [r for r in _roles(req, connection, id, token_id, "get_access_token_role") if r["id"] == role_id]
    if not found:
        raise errors.NotFound(f"Could not find role: {role_id}.")
    return {"role": found[0]}


def routes() -> list[wsgi.Route]:
    consumers, tokens = "/v3/OS-OAUTH1/consumers", "/v3/users/{id}/OS-OAUTH1/access_tokens"
    return [
        wsgi.Route("GET", consumers, CONSUMER.index), wsgi.Route("POST", consumers, create_consumer, 201),
        wsgi.Route("GET", consumers + "/{id}", CONSUMER.show), wsgi.Route("PATCH", consumers + "/{id}", update_consumer),
        wsgi.Route("DELETE", consumers + "/{id}", CONSUMER.delete, 204),
        wsgi.Route("POST", "/v3/OS-OAUTH1/request_token", request_token, 201),
        wsgi.Route("PUT", "/v3/OS-OAUTH1/authorize/{id}", authorize),
        wsgi.Route("POST", "/v3/OS-OAUTH1/access_token", access_token, 201),
        wsgi.Route("GET", tokens, index), wsgi.Route("GET", tokens + "/{token_id}", show),
        wsgi.Route("DELETE", tokens + "/{token_id}", delete, 204), wsgi.Route("GET", tokens + "/{token_id}/roles", roles),
        wsgi.Route("GET", tokens + "/{token_id}/roles/{role_id}", role)]
