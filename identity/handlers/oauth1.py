"""OS-OAUTH1: consumers, their request tokens, and access tokens with the roles that users authorized."""

import oauthlib.oauth1

from common import context, errors, wsgi
from identity.handlers.crud import Crud
from identity.oauth1 import Keys, Signed
from identity.schemas import oauth1 as schemas
from identity.services import oauth1
from identity.tokens import stamp

CONSUMER = Crud(oauth1.CONSUMER, "/v3/OS-OAUTH1")


def create_consumer(req):
    """The only response that contains the secret."""
    secret = context.new_hex()
    row = CONSUMER.noun.create(req.call, req.json_object(), sealed_secret=req.svc.vault.seal(secret))
    return {"consumer": {**CONSUMER.view(req, row), "secret": secret}}


def update_consumer(req, id):
    body = req.json_object()
    if "secret" in (body.get("consumer") or {}):
        raise errors.BadRequest("A consumer's secret cannot be changed.")
    return CONSUMER.one(req, CONSUMER.noun.update(req.call, id, body))


def _signed(req) -> Signed:
    return Signed(req.url, req.method, req.body.decode("utf-8", "replace"), dict(req.headers))


def _form(text: str) -> wsgi.Response:
    return wsgi.Response(body=text.encode(), status=201, content_type="application/x-www-form-urlencoded")


def request_token(req):
    if "Requested-Project-Id" not in req.headers:
        raise errors.BadRequest("The header Requested-Project-Id is missing.")
    return _form(Keys(req.svc).respond(oauthlib.oauth1.RequestTokenEndpoint, _signed(req), "request"))


def access_token(req):
    return _form(Keys(req.svc).respond(oauthlib.oauth1.AccessTokenEndpoint, _signed(req), "access"))


@wsgi.body(schemas.AUTHORIZATION)
def authorize(req, id, body):
    """A user authorizes a consumer for some of the user's roles on the requested project, and passes the verifier on to it."""
    return {"token": {"oauth_verifier": oauth1.authorize(req.call, id, body["roles"])}}


def _view(req, row: dict) -> dict:
    base = f"{req.base_url()}/v3/users/{row['user_id']}/OS-OAUTH1/access_tokens/{row['id']}"
    return {"id": row["id"], "consumer_id": row["consumer_id"], "project_id": row["project_id"],
            "authorizing_user_id": row["user_id"], "expires_at": stamp(row["expires_at"]) if row["expires_at"] else None,
            "links": {"self": base, "roles": f"{base}/roles"}}


def index(req, id):
    found = oauth1.index(req.call, id)
    return {"access_tokens": [_view(req, r) for r in found],
            "links": {"self": req.path_url, "next": None, "previous": None}}


def show(req, id, token_id):
    row = oauth1.show(req.call, id, token_id)
    return {"access_token": _view(req, row)}


def delete(req, id, token_id):
    """Revoke an access token, and the tokens that the consumer obtained with it."""
    oauth1.delete(req.call, id, token_id)


def roles(req, id, token_id):
    found = oauth1.roles(req.call, id, token_id)
    return {"roles": [_role(req, r) for r in found], "links": {"self": req.path_url, "next": None, "previous": None}}


def role(req, id, token_id, role_id):
    found = [r for r in oauth1.roles(req.call, id, token_id, "get_access_token_role") if r["id"] == role_id]
    if not found:
        raise errors.NotFound(f"Could not find role: {role_id}.")
    return {"role": _role(req, found[0])}


def _role(req, row: dict) -> dict:
    return {"id": row["id"], "name": row["name"], "links": {"self": f"{req.base_url()}/v3/roles/{row['id']}"}}


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
