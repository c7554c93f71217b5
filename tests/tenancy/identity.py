"""The identity API: what is a user's own, and what only administrators have, for a user of another project."""

import json
import uuid

from identity import router
from identity.services import crud, domains, groups, oauth1, projects, roles, services, users
from identity.v2 import router as v2_router
from tests.tenancy import schemas
from tests.tenancy.frame import Asker, Ids, Key, Reference, Service, properties, writes
from tests.tenancy.frame import parameters as in_path

NOWHERE = "00000000000000000000000000000000"
NOUNS: list[crud.Noun] = [domains.NOUN, groups.NOUN, oauth1.CONSUMER, projects.NOUN, roles.NOUN, services.NOUN, users.NOUN]
ROUTES = [*router.ROUTES, *v2_router.ROUTES]
ADMINS_ONLY = "only administrators write it"


def make(who: Asker, mark: str) -> Ids:
    """What a user can have of his own; of nouns that only administrators have, ids of nothing."""
    me, project = who.user_id, who.project_id
    of_me = f"/v3/users/{me}"
    secret = uuid.uuid4().hex
    robot = who.made("identity", f"{of_me}/application_credentials", {"application_credential": {
        "name": mark + "robot", "secret": secret, "access_rules": [
            {"service": "compute", "method": "GET", "path": f"/{mark}"}]}})
    trust = who.made("identity", "/v3/OS-TRUST/trusts", {"trust": {
        "trustor_user_id": me, "trustee_user_id": me, "impersonation": True, "project_id": project,
        "roles": [{"name": "reader"}]}})
    nouns = {"domains", "roles", "regions", "services", "endpoints", "groups", "policies", "registered_limits", "limits",
             "endpoint_groups", "consumers", "authorize", "identity_providers", "protocols", "mappings", "service_providers",
             "idp_id", "protocol_id", "group_id", "role_id", "implied_id", "endpoint_id", "service_id", "region_id", "tag",
             "group", "option", "alias", "domains/target_id", "access_tokens/token_id"}
    return {**dict.fromkeys(nouns, NOWHERE), "users": me, "user_id": me, "projects": project, "project_id": project,
            "projects/target_id": project, "tenants": project, "credential_id": robot["id"], "secret": secret,
            "rule_id": robot["access_rules"][0]["id"], "trusts": trust["id"], "token_id": who.client.token,
            "credentials": who.made("identity", "/v3/credentials", {"credential": {"type": "note", "blob": mark}})["id"],
            "access": who.made("identity", f"{of_me}/credentials/OS-EC2", {"tenant_id": project})["access"]}


def _unique(noun: str, **values) -> dict:
    return {noun: {"name": uuid.uuid4().hex, **values}}


_PASSWORD = {"user": {"password": "mine", "original_password": "mine"}}
_RULES = {"mapping": {"rules": [{"local": [{"user": {"name": "{0}"}}], "remote": [{"type": "X"}]}]}}
_GIVEN: dict[str, dict] = {
    **{n + "s": _unique(n) for n in ("domain", "project", "role", "service", "group", "endpoint_group", "tenant")},
    "users": {"user": {"password": "mine"}}, "regions": {"region": {"description": "x"}},
    "endpoints": {"endpoint": {"url": "http://x"}}, "policies": {"policy": {"blob": "x"}},
    "credentials": {"credential": {"blob": "mine"}}, "registered_limits": {"registered_limit": {"default_limit": 1}},
    "limits": {"limit": {"resource_limit": 1}}, "consumers": {"consumer": {"description": "x"}},
    "identity_providers": {"identity_provider": {}}, "protocols": {"protocol": {"mapping_id": NOWHERE}}, "mappings": _RULES,
    "service_providers": {"service_provider": {"auth_url": "http://a", "sp_url": "http://s"}}}
_LAST: dict[str, dict] = {
    "application_credentials": _unique("application_credential"), "tags": {"tags": ["x"]}, "config": {"config": {"ldap": {}}},
    "password": _PASSWORD, "authorize": {"roles": [{"name": "reader"}]}}


def _body(route) -> dict:
    """A valid body: by the last fixed segment, else by the noun whose id comes last."""
    parts = [p for p in route.path.split("/") if not p.startswith("{")]
    if route.path.startswith("/v2.0/users") or "OS-KSCRUD" in route.path:
        return _PASSWORD if "OS-KSCRUD" in route.path else {"user": {"password": "mine", "enabled": True}}
    if "config" in parts:
        return _LAST["config"]
    return _LAST.get(parts[-1]) or _GIVEN.get(parts[-1], {})


def _ec2(ids: Ids) -> dict:
    return {"tenant_id": ids["projects"]}


BODIES = {(r.method, r.path): (lambda ids, r=r: _body(r)) for r in ROUTES if writes(r) and in_path(r)}
BODIES.update({("POST", p): _ec2 for p in ("/v3/users/{id}/credentials/OS-EC2", "/v2.0/users/{id}/credentials/OS-EC2")})


def _login(method: str, values, scope=lambda own, theirs: None) -> Reference:
    return Reference("POST", "/v3/auth/tokens", lambda own, theirs: {"auth": {
        "identity": {"methods": [method], method: values(own, theirs)},
        **({"scope": scope(own, theirs)} if scope(own, theirs) else {})}}, refused=frozenset((401,)))


def _by_own_token(scope) -> Reference:
    return _login("token", lambda own, theirs: {"id": own["token_id"]}, scope)


def _trust(own: Ids, **values) -> dict:
    return {"trust": {"trustor_user_id": own["users"], "trustee_user_id": own["users"], "impersonation": True,
                      "project_id": own["projects"], "roles": [{"name": "reader"}], **values}}


def _post(path: str, body, **more) -> list[Reference]:
    return [Reference("POST", path, body, **more)]


_IN = "identity.handlers."
REFERENCES: dict[Key, list[Reference]] = {
    (_IN + "application_credentials", "application_credential/access_rules[]/id"): _post(
        "/v3/users/{id}/application_credentials",
        lambda own, theirs: _unique("application_credential", access_rules=[{"id": theirs["rule_id"]}])),
    (_IN + "auth", "auth/identity/application_credential/id"): [_login("application_credential", lambda own, theirs: {
        "id": theirs["credential_id"], "secret": own["secret"]})],
    (_IN + "auth", "auth/identity/password/user/id"): [_login("password", lambda own, theirs: {
        "user": {"id": theirs["users"], "password": "pw-of-them" if own is theirs else "mine"}})],
    (_IN + "auth", "auth/scope/project/id"): [
        _by_own_token(lambda own, theirs: {"project": {"id": theirs["projects"]}}),
        Reference("POST", "/v2.0/tokens", lambda own, theirs: {"auth": {
            "token": {"id": own["token_id"]}, "tenantId": theirs["projects"]}}, refused=frozenset((401,)))],
    (_IN + "auth", "auth/scope/OS-TRUST:trust/id"): [_by_own_token(lambda own, theirs: {"OS-TRUST:trust": {
        "id": theirs["trusts"]}})],
    (_IN + "credentials", "credential/project_id"): [
        *_post("/v3/credentials", lambda own, theirs: {"credential": {
            "type": "note", "blob": "x", "project_id": theirs["projects"]}}),
        *_post("/v3/credentials", lambda own, theirs: {"credential": {
            "type": "ec2", "project_id": theirs["projects"],
            "blob": json.dumps({"access": uuid.uuid4().hex, "secret": "s"})}}),
        Reference("PATCH", "/v3/credentials/{id}", lambda own, theirs: {"credential": {"project_id": theirs["projects"]}})],
    (_IN + "credentials", "credential/user_id"): [
        *_post("/v3/credentials", lambda own, theirs: {"credential": {"type": "note", "blob": "x", "user_id": theirs["users"]}}),
        Reference("PATCH", "/v3/credentials/{id}", lambda own, theirs: {"credential": {"user_id": theirs["users"]}})],
    (_IN + "ec2", "tenant_id"): [*_post("/v3/users/{id}/credentials/OS-EC2", lambda own, theirs: _ec2(theirs)),
                                 *_post("/v2.0/users/{id}/credentials/OS-EC2", lambda own, theirs: _ec2(theirs))],
    (_IN + "trusts", "trust/project_id"): _post("/v3/OS-TRUST/trusts", lambda own, theirs: _trust(
        own, project_id=theirs["projects"])),
    (_IN + "trusts", "trust/trustor_user_id"): _post("/v3/OS-TRUST/trusts", lambda own, theirs: _trust(
        own, trustor_user_id=theirs["users"])),
}


def declared() -> dict[str, set[str]]:
    """As the schemas that are compiled at import, and of the nouns, whose are not."""
    return {**schemas.of("identity"), **{n.singular: properties({"properties": n.properties}) for n in NOUNS}}


def _no_reference() -> dict[Key, str]:
    everybodys, a_name, secret = "roles are everybody's, and only one's own are given", "a name is looked for in it", "a secret"
    found = {(_IN + "application_credentials", p): everybodys for p in (
        "application_credential/roles", "application_credential/roles[]/id")}
    found |= {(_IN + "trusts", p): everybodys for p in ("trust/roles", "trust/roles[]/id")}
    found |= {(_IN + "oauth1", p): everybodys for p in ("roles", "roles[]/id")}
    found |= {(_IN + "auth", f"auth/{p}/domain/id"): a_name for p in (
        "identity/application_credential/user", "identity/password/user", "identity/totp/user", "scope/domain", "scope/project")}
    found |= {(_IN + "auth", "auth/identity/token/id"): secret,
              (_IN + "auth", "auth/identity/totp/user/id"): "it goes with a passcode",
              (_IN + "auth", "auth/identity/application_credential/user/id"): "it goes with a name and a secret",
              (_IN + "auth", "auth/scope/domain/id"): "see test_domains.py",
              (_IN + "trusts", "trust/trustee_user_id"): "whom one trusts may be anybody"}
    of_admins = {_IN + "federation": ("identity_provider/domain_id", "identity_provider/remote_ids",
                                      "mapping/rules[]/local[]/domain/id", "mapping/rules[]/local[]/group",
                                      "mapping/rules[]/local[]/group/domain/id", "mapping/rules[]/local[]/group/id",
                                      "mapping/rules[]/local[]/group_ids", "mapping/rules[]/local[]/projects[]/roles",
                                      "mapping/rules[]/local[]/user/domain/id", "mapping/rules[]/local[]/user/id",
                                      "protocol/mapping_id"),
                 _IN + "limits": ("limits[]/domain_id", "limits[]/project_id", "limits[]/region_id", "limits[]/service_id",
                                  "registered_limit/region_id", "registered_limit/service_id",
                                  "registered_limits[]/region_id", "registered_limits[]/service_id"),
                 "role": ("domain_id",)}
    found |= {(where, p): ADMINS_ONLY for where, paths in of_admins.items() for p in paths}
    return found | {(n, p): "of domains' managers: see test_domains.py" for n, p in (
        ("user", "domain_id"), ("user", "default_project_id"), ("group", "domain_id"), ("project", "domain_id"),
        ("project", "parent_id"))}


_LOGINS = {(r.method, r.path): (frozenset((401,)), "a login by the front proxy, which it does not come from") for r in ROUTES
           if "OS-FEDERATION" in r.path and ("/auth" in r.path or "websso" in r.path) and in_path(r)}
SERVICE = Service("identity", ROUTES, make, BODIES, declared, REFERENCES, _no_reference(), exceptions={
    **_LOGINS, ("POST", "/v3/users/{id}/password"): (frozenset((401,)), "who knows the old password is the user")})
