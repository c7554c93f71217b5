"""Tokens in v2.0: the same tokens as in v3, in the older format."""

import typing

from common import errors, wsgi
from identity import tokens
from identity.schemas import v2 as schemas
from identity.services import auth, v2
from identity.services.v2 import DOMAIN
from identity.v2 import tenants


def _as_v3(auth: dict) -> dict:
    """The equivalent ``auth`` of a v3 request."""
    here = {"domain": {"id": DOMAIN}}
    given = auth.get("passwordCredentials")
    if given is not None:
        if ("username" in given) == ("userId" in given):
            raise errors.BadRequest("Expecting to find username or userId in passwordCredentials.")
        who = {"id": given["userId"]} if "userId" in given else {"name": given["username"], **here}
        asked: dict = {"identity": {"methods": ["password"], "password": {"user": {**who, "password": given["password"]}}}}
    elif "token" in auth:
        asked = {"identity": {"methods": ["token"], "token": {"id": auth["token"]["id"]}}}
    else:
        raise errors.BadRequest("Expecting to find passwordCredentials or token in auth.")
    if auth.get("tenantId") and auth.get("tenantName"):
        raise errors.BadRequest("Expecting either tenantId or tenantName.")
    if "trust_id" in auth:
        asked["scope"] = {"OS-TRUST:trust": {"id": auth["trust_id"]}}
    elif auth.get("tenantId") or auth.get("tenantName"):
        asked["scope"] = {"project": {"id": auth["tenantId"]} if auth.get("tenantId") else {"name": auth["tenantName"], **here}}
    return asked


@wsgi.body(schemas.AUTH)
def issue(req, body):
    try:
        ctx, token = req.svc.authenticator.authenticate(_as_v3(body["auth"]), req.ctx)
    except errors.NotFound:
        raise errors.Unauthorized() from None
    return describe(req, ctx, token)


def describe(req, ctx, token: str) -> dict:
    """The ``access`` of a token. :raises Unauthorized: it belongs to another domain, which v2.0 does not support"""
    if ctx.user_domain_id != DOMAIN or ctx.project_domain_id not in (None, DOMAIN):
        raise errors.Unauthorized()
    said = tokens.body(req.svc, ctx)["token"]
    roles = said.get("roles", [])
    described: dict = {"id": token, "issued_at": said["issued_at"], "expires": said["expires_at"], "audit_ids": said["audit_ids"]}
    if ctx.project_id:
        found = v2.project(req.call, ctx.project_id)
        described["tenant"] = tenants.view(found) if found else {"id": ctx.project_id, "name": ctx.project_name}
    access: dict[str, typing.Any] = {
        "token": described, "serviceCatalog": [_service(s) for s in said.get("catalog", [])],
        "user": {"id": ctx.user_id, "name": ctx.user_name, "username": ctx.user_name, "roles_links": [],
                 "roles": [{"name": r["name"]} for r in roles]},
        "metadata": {"is_admin": 0, "roles": [r["id"] for r in roles]}}
    if ctx.trust:
        access["trust"] = {"id": ctx.trust[0], "trustee_user_id": ctx.trust[2], "trustor_user_id": ctx.trust[1],
                           "impersonation": ctx.user_id == ctx.trust[1]}
    return {"access": access}


def _triples(service: dict) -> dict[str, dict]:
    """{region: {"publicURL": …, "internalURL": …, "adminURL": …, "id", "region"}}; identity's URLs are those of v2.0."""
    found: dict[str, dict] = {}
    for endpoint in service["endpoints"]:
        url = endpoint["url"]
        if service["type"] == "identity" and url.rstrip("/").endswith("/v3"):
            url = url.rstrip("/")[:-len("v3")] + "v2.0"
        triple = found.setdefault(endpoint["region"], {"region": endpoint["region"], "id": endpoint["id"]})
        triple[f"{endpoint['interface']}URL"] = url
    return found


def _service(service: dict) -> dict:
    return {"type": service["type"], "name": service["name"], "endpoints_links": [],
            "endpoints": list(_triples(service).values())}


def validate(req, token_id):
    """The content of a token; with ``belongsTo`` only if it is scoped to that tenant."""
    subject = auth.find_subject(req.call, token_id, "identity:validate_token")
    if "belongsTo" in req.GET and req.GET["belongsTo"] != subject.project_id:
        raise errors.Unauthorized()
    return describe(req, subject, token_id)


def revoke(req, token_id):
    auth.revoke(req.call, token_id)


def endpoints(req, token_id):
    subject = auth.find_subject(req.call, token_id, "identity:validate_token")
    found = [{**triple, "name": s["name"], "type": s["type"]}
             for s in req.svc.catalog.of(subject.project_id) for triple in _triples(s).values()]
    return {"endpoints": found, "endpoints_links": []}
