"""Every route of identity, asked by each role from another project: nothing of others is shown, changed or broken."""

import hashlib
import json
import re

import pytest
import sqlalchemy as sa

from identity import router
from identity.db import models
from identity.handlers import federation
from identity.v2 import router as v2_router

ROUTES = [r for r in [*router.ROUTES, *v2_router.ROUTES] if r.path not in ("/", "/v3", "/v2.0", "/v2.0/extensions")]
# What every token may ask: about itself, and what is the same for all.
OPEN = {("GET", p) for p in (
    "/v3/auth/catalog", "/v3/auth/projects", "/v3/auth/domains", "/v3/auth/system", "/v3/regions", "/v3/regions/{id}",
    "/v3/registered_limits", "/v3/registered_limits/{id}", "/v3/limits", "/v3/limits/model", "/v3/credentials",
    "/v2.0/extensions/{alias}")}
# What the services ask on behalf of those who came to them.
FOR_SERVICES = {("GET", "/v3/auth/tokens"), ("GET", "/v2.0/tokens/{token_id}"), ("GET", "/v2.0/tokens/{token_id}/endpoints"),
                ("GET", "/v3/OS-REVOKE/events")}
WITHOUT_TOKEN = {("POST", "/v3/auth/tokens"), ("POST", "/v2.0/tokens"), ("POST", "/v3/OS-OAUTH1/request_token"),
                 ("POST", "/v3/OS-OAUTH1/access_token"), ("POST", "/v3/users/{id}/password"),
                 *((r.method, r.path) for r in ROUTES if r.handler in (federation.login, federation.websso))}
ROLES = ("reader", "member", "manager", "service")


def owned(identity) -> dict[str, str]:
    """{a path's parameter, or the noun before "{id}": the id of a thing of the administrator's project}"""
    token = identity.admin

    def make(path, body):
        answer = identity.send("POST", "/v3" + path, body, token=token).json
        return next(iter(answer.values()))["id"]
    project = make("/projects", {"project": {"name": "theirs", "tags": ["t"]}})
    domain = make("/domains", {"domain": {"name": "far"}})
    user = make("/users", {"user": {"name": "their"}})
    role, service = make("/roles", {"role": {"name": "own"}}), make("/services", {"service": {"type": "tea"}})
    region = make("/regions", {"region": {"id": "north"}})
    me = identity.send("GET", "/v3/users?name=admin", token=token).json["users"][0]["id"]
    home = identity.send("GET", "/v3/auth/projects", token=token).json["projects"][0]["id"]
    (registered,) = identity.send("POST", "/v3/registered_limits", {"registered_limits": [
        {"service_id": service, "resource_name": "cups", "default_limit": 1}]}, token=token).json["registered_limits"]
    own = {"service_id": service, "resource_name": "cups", "resource_limit": 2, "project_id": project}
    (limit,) = identity.send("POST", "/v3/limits", {"limits": [own]}, token=token).json["limits"]
    identity.send("PUT", f"/v3/domains/{domain}/config", {"config": {"ldap": {"url": "ldap://x"}}}, token=token)
    rules = [{"local": [{"user": {"name": "{0}"}}], "remote": [{"type": "X"}]}]
    for path, body in (("mappings/m", {"mapping": {"rules": rules}}),
                       ("identity_providers/idp", {"identity_provider": {}}),
                       ("identity_providers/idp/protocols/openid", {"protocol": {"mapping_id": "m"}}),
                       ("service_providers/sp", {"service_provider": {"auth_url": "http://a", "sp_url": "http://s"}})):
        assert identity.send("PUT", f"/v3/OS-FEDERATION/{path}", body, token=token).status_int == 201
    group = make("/groups", {"group": {"name": "g"}})
    identity.send("PUT", f"/v3/groups/{group}/users/{user}", token=token)
    admin_role = identity.send("GET", "/v3/roles?name=admin", token=token).json["roles"][0]["id"]
    return {
        "domains": domain, "projects": project, "tenants": project, "users": me, "roles": role, "regions": region,
        "services": service, "groups": group, "policies": make("/policies", {"policy": {"type": "t", "blob": "b"}}),
        "endpoints": make("/endpoints", {"endpoint": {"service_id": service, "interface": "public", "url": "http://x"}}),
        "endpoint_groups": make("/OS-EP-FILTER/endpoint_groups", {"endpoint_group": {
            "name": "e", "filters": {"service_id": service}}}),
        "credentials": make("/credentials", {"credential": {"type": "note", "blob": "x"}}),
        "trusts": make("/OS-TRUST/trusts", {"trust": {"trustor_user_id": me, "trustee_user_id": user, "impersonation": False}}),
        "consumers": make("/OS-OAUTH1/consumers", {"consumer": {}}), "authorize": "nothing",
        "registered_limits": registered["id"], "limits": limit["id"], "user_id": user, "group_id": group, "project_id": project,
        "target_id": project, "role_id": admin_role, "implied_id": role, "endpoint_id": "e", "service_id": service,
        "region_id": region, "rule_id": "r", "access": "a", "tag": "t", "group": "ldap", "option": "url", "alias": "OS-EC2",
        "token_id": token, "home": home, "identity_providers": "idp", "idp_id": "idp", "protocols": "openid",
        "protocol_id": "openid", "mappings": "m", "service_providers": "sp",
        "credential_id": make(f"/users/{me}/application_credentials", {"application_credential": {"name": "robot"}})}


def fill(path: str, ids: dict[str, str]) -> str:
    def value(match) -> str:
        before = path[:match.start()].rstrip("/").rsplit("/", 1)[-1]
        if match[1] == "id" or match[1] == "target_id":
            return ids[before]
        return ids["token_id" if (match[1], before) == ("token_id", "tokens") else match[1]]
    return re.sub(r"\{(\w+)\}", value, path)


def content(identity) -> str:
    """A digest of all rows, without what a mere look leaves behind."""
    with identity.service.db.reader() as connection:
        rows = {t.name: sorted(map(repr, connection.execute(sa.select(t)).all())) for t in models.METADATA.sorted_tables
                if t.name not in ("revocations", "oauth_nonces")}
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()


@pytest.fixture
def stranger(identity):
    """Tokens of a user by role, on a project of his own."""
    token = identity.admin
    project = identity.send("POST", "/v3/projects", {"project": {"name": "other"}}, token=token).json["project"]["id"]
    found = {}
    for name in ROLES:
        user = identity.send("POST", "/v3/users", {"user": {"name": name, "password": "pw"}}, token=token).json["user"]["id"]
        role = identity.send("GET", f"/v3/roles?name={name}", token=token).json["roles"][0]["id"]
        identity.send("PUT", f"/v3/projects/{project}/users/{user}/roles/{role}", token=token)
        found[name] = identity.login(name, "pw", {"project": {"id": project}}).headers["X-Subject-Token"]
    return found


def test_no_role_reaches_what_is_another_projects(identity, stranger):
    ids = owned(identity)
    before, asked = content(identity), 0
    for route in ROUTES:
        path = fill(route.path, ids)
        for role, token in [("nobody", ""), *stranger.items()]:
            for app in (identity.app, identity.admin_app):
                key, body = (route.method, route.path), {} if route.method in ("POST", "PUT", "PATCH") else None
                response = identity.send(route.method, path, body, token=token, app=app, X_Subject_Token=ids["token_id"])
                asked += 1
                if key in WITHOUT_TOKEN:
                    expected = {400, 401}
                elif role == "nobody":
                    expected = {401}
                elif key in OPEN or role == "service" and key in FOR_SERVICES or key == ("GET", "/v2.0/tenants"):
                    expected = {200, 403}
                else:
                    # A body is looked at before the rule, where a rule needs what is in it.
                    expected = {403, 404} | ({400} if body is not None else set())
                assert response.status_int in expected, (key, role, response.status_int, response.text[:300])
    assert content(identity) == before and asked > 2000


def test_lists_that_all_may_ask_for_show_nothing_of_others(identity, stranger):
    ids = owned(identity)
    for role, token in stranger.items():
        # Services read everybody's limits: they are what they go by.
        paths = ("/v3/credentials", "/v2.0/tenants", "/v3/auth/projects", *(("/v3/limits",) if role != "service" else ()))
        shown = "".join(identity.send("GET", path, token=token).text for path in paths)
        theirs = [n for n in ("credentials", "projects", "credential_id", "trusts") if ids[n] in shown]
        assert not theirs, (role, theirs)
