"""Tokens: issue, validate, revoke; and the scopes that are available to a token's owner."""

from common import errors, wsgi
from identity import oauth1, receipts, tokens
from identity.handlers.domains import CRUD as DOMAIN
from identity.handlers.projects import CRUD as PROJECT
from identity.schemas import auth as schemas
from identity.services import auth


def _has_name(ref: dict, what: str) -> None:
    if "id" not in ref and "name" not in ref:
        raise errors.BadRequest(f"Expecting to find id or name in {what}.")


def _check_named(ref: dict, what: str) -> None:
    """:raises BadRequest: an object has neither an id nor a name with a domain"""
    _has_name(ref, what)
    if "id" not in ref:
        if "domain" not in ref:
            raise errors.BadRequest(f"Expecting to find domain in {what}.")
        _has_name(ref["domain"], "domain")


def _check_shape(auth: dict) -> None:
    """Checks beyond the schema. :raises BadRequest: a user or scope is incomplete, or there is more than one scope"""
    identity, scope = auth["identity"], auth.get("scope")
    for method in ("password", "totp"):
        if method in identity["methods"] and method in identity:
            _check_named(identity[method]["user"], "user")
    if not isinstance(scope, dict):
        return
    kinds = {"project", "domain", "system", "OS-TRUST:trust", "unscoped"} & set(scope)
    if len(kinds) != 1:
        raise errors.BadRequest("Expecting to find project, domain, system, OS-TRUST:trust or unscoped in scope.")
    if "project" in kinds:
        _check_named(scope["project"], "project")
    if "domain" in kinds:
        _has_name(scope["domain"], "domain")
    if "system" in kinds and scope["system"].get("all") is not True:
        raise errors.BadRequest("Expecting to find all in system.")


# The same text for every refusal, so that it does not tell an attacker the reason.
_REFUSED = (f"{errors.Unauthorized.message} The user name, domain or password is incorrect, or the user has no role on the "
            "requested project, domain or system.")


@wsgi.body(schemas.AUTH)
def issue(req, body):
    identity = body["auth"]["identity"]
    _check_shape(body["auth"])
    for method in ("password", "token", "totp", "application_credential"):
        if method in identity["methods"] and method not in identity:
            raise errors.BadRequest(f"Expecting to find {method} in identity.")
    if identity["methods"] == ["oauth1"]:
        ctx, token = req.svc.authenticator.for_consumer(oauth1.Keys(req.svc).access_token(
            oauth1.Signed(req.url, req.method, "", dict(req.headers))), req.ctx)
    else:
        try:
            ctx, token = req.svc.authenticator.authenticate(body["auth"], req.ctx, req.headers.get("Openstack-Auth-Receipt"))
        except receipts.Incomplete as more:
            return wsgi.json_response(more.described, 401, {"Openstack-Auth-Receipt": more.receipt})
        except errors.Unauthorized as refusal:
            usual = refusal.public == errors.Unauthorized.message and "password" in identity["methods"]
            raise errors.Unauthorized(_REFUSED) if usual else refusal
    return described(req, ctx, token, 201)


def described(req, ctx, token: str, status: int) -> wsgi.Response:
    """The response with a token and its contents."""
    text = tokens.rendered(req.svc, ctx, with_catalog="nocatalog" not in req.GET)
    return wsgi.Response(body=text, status=status, headerlist=[
        ("Content-Type", "application/json"), ("Content-Length", str(len(text))), ("X-Subject-Token", token),
        ("Vary", "X-Auth-Token")])


def _subject(req, rule: str) -> wsgi.Response:
    subject = auth.find_subject(req.call, req.headers.get("X-Subject-Token", ""), rule)
    return described(req, subject, subject.token, 200)


def validate(req):
    return _subject(req, "identity:validate_token")


def check(req):
    """Whether a token is valid, for callers who may not see its contents."""
    return _subject(req, "identity:check_token")


def revoke(req):
    auth.revoke(req.call, req.headers.get("X-Subject-Token", ""), chain=wsgi.flag(req, "chain"))


def catalog(req):
    req.svc.policy.check(req.ctx, "identity:get_auth_catalog", {})
    if not req.ctx.project_id:
        raise errors.Forbidden("A project-scoped token is required to produce a service catalog.")
    return {"catalog": req.svc.catalog.of(req.ctx.project_id), "links": {"self": req.path_url}}


def _check_own(req, *rules: str) -> None:
    for rule in rules:
        req.svc.policy.check(req.ctx, f"identity:{rule}", {"user_id": req.ctx.user_id})


def projects(req):
    _check_own(req, "get_auth_projects", "list_projects_for_user")
    return PROJECT.many(req, auth.own_targets(req.call, req.ctx.user_id, "project"))


def system(req):
    _check_own(req, "get_auth_system")
    return {"system": [{"all": True}] if auth.has_system_role(req.call) else [], "links": {"self": req.path_url}}


def domains(req):
    _check_own(req, "get_auth_domains", "list_domains_for_user")
    return DOMAIN.many(req, auth.own_targets(req.call, req.ctx.user_id, "domain"))
