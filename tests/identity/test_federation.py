"""Federated logins, with the proxy's part played by headers; tests/identity/test_oidc.py has a real proxy and provider."""

import pytest

from common import errors
from identity.federation import mapped
from tests.identity.conftest import Caller

SECRET = "what-the-proxy-knows"
ISSUER = "https://accounts.example.org"
RULES = [{"local": [{"user": {"name": "{0}", "email": "{1}"}}, {"groups": "{2}", "domain": {"name": "guests"}}],
          "remote": [{"type": "HTTP_OIDC_SUB"}, {"type": "HTTP_OIDC_EMAIL"},
                     {"type": "HTTP_OIDC_GROUPS", "whitelist": ["crew", "cooks"]},
                     {"type": "HTTP_OIDC_ISS", "any_one_of": [ISSUER]}]}]


def test_rules():
    said = {"U": "ann", "G": "a;b;c", "M": "ann@example.org"}

    def of(*rules):
        return mapped(list(rules), said)
    user = {"local": [{"user": {"name": "{0}"}}], "remote": [{"type": "U"}]}
    assert of(user).user == {"name": "ann"}
    for remote, groups in (([{"type": "G"}], ["a", "b", "c"]), ([{"type": "G", "whitelist": ["a", "x"]}], ["a"]),
                           ([{"type": "G", "blacklist": ["a"]}], ["b", "c"]),
                           ([{"type": "G", "whitelist": ["[ab]"], "regex": True}], ["a", "b"])):
        assert [g["name"] for g in of(user, {"local": [{"groups": "{0}"}], "remote": remote}).groups] == groups
    # Conditions give no {n}; whoever does not meet them gets nothing of the rule.
    first = {"local": [{"user": {"id": "{0}"}}], "remote": [{"type": "G", "any_one_of": ["b"]}, {"type": "M"}]}
    assert of(first).user == {"id": "ann@example.org"}
    for remote in ({"type": "G", "any_one_of": ["x"]}, {"type": "G", "not_any_of": ["b"]}, {"type": "absent"},
                   {"type": "M", "any_one_of": ["@example.com$"], "regex": True}):
        with pytest.raises(errors.Unauthorized):
            of({**user, "remote": [{"type": "U"}, remote]})
    with pytest.raises(errors.Forbidden):
        of({"local": [{"user": {"name": "{3}"}}], "remote": [{"type": "U"}]})
    with pytest.raises(errors.Unauthorized):
        of({"local": [{"group": {"id": "g"}}], "remote": [{"type": "U"}]})
    assert of(user, {"local": [{"group_ids": "x; y"}], "remote": [{"type": "U"}]}).groups == [{"id": "x"}, {"id": "y"}]


@pytest.fixture
def identity(tmp_path):
    made = Caller(tmp_path, {"identity.admin_token": None, "federation.proxy_secret": SECRET,
                             "federation.trusted_dashboard": ["https://dash/sso"]})
    yield made
    made.close()


@pytest.fixture
def ask(identity):
    token = identity.admin

    def inner(method, path, body=None, expect=200):
        response = identity.send(method, "/v3" + path, body, token=token)
        assert response.status_int == expect, response.text
        return response.json if response.body else None
    return inner


@pytest.fixture
def provider(ask):
    """The domain of the provider ``idp``, whose protocol ``openid`` maps by RULES; it has a group ``crew``."""
    domain = ask("POST", "/domains", {"domain": {"name": "guests"}}, 201)["domain"]["id"]
    group = ask("POST", "/groups", {"group": {"name": "crew", "domain_id": domain}}, 201)["group"]["id"]
    base = "/OS-FEDERATION"
    ask("PUT", f"{base}/mappings/m", {"mapping": {"rules": RULES}}, 201)
    ask("PUT", f"{base}/identity_providers/idp", {"identity_provider": {"domain_id": domain, "remote_ids": [ISSUER]}}, 201)
    ask("PUT", f"{base}/identity_providers/idp/protocols/openid", {"protocol": {"mapping_id": "m"}}, 201)
    return {"domain": domain, "group": group}


def login(identity, secret=SECRET, path="/v3/OS-FEDERATION/identity_providers/idp/protocols/openid/auth", **claims):
    said = {"OIDC_sub": "ann", "OIDC_email": "ann@x", "OIDC_groups": "crew;others", "OIDC_iss": ISSUER, **claims}
    headers = {k: v for k, v in said.items() if v is not None}
    return identity.send("POST", path, X_Federation_Secret=secret, **headers)


def test_a_federated_login(identity, ask, provider):
    project = ask("POST", "/projects", {"project": {"name": "p"}}, 201)["project"]["id"]
    role = ask("GET", "/roles?name=member")["roles"][0]["id"]
    ask("PUT", f"/projects/{project}/groups/{provider['group']}/roles/{role}", expect=204)
    answer = login(identity)
    assert answer.status_int == 201
    token, user = answer.headers["X-Subject-Token"], answer.json["token"]["user"]
    assert answer.json["token"]["methods"] == ["openid"] and user["name"] == "ann" and user["domain"]["name"] == "guests"
    assert user["OS-FEDERATION"] == {"identity_provider": {"id": "idp"}, "protocol": {"id": "openid"},
                                     "groups": [{"id": provider["group"]}]}
    assert ask("GET", f"/users/{user['id']}")["user"]["email"] == "ann@x"
    assert [p["id"] for p in identity.send("GET", "/v3/auth/projects", token=token).json["projects"]] == [project]
    scoped = identity.send("POST", "/v3/auth/tokens", {"auth": {"identity": {"methods": ["token"], "token": {"id": token}},
                                                                "scope": {"project": {"id": project}}}})
    assert {r["name"] for r in scoped.json["token"]["roles"]} == {"member", "reader"}
    assert scoped.json["token"]["user"]["OS-FEDERATION"]["identity_provider"]["id"] == "idp"
    assert login(identity).json["token"]["user"]["id"] == user["id"], "the same one again"
    # The provider takes him out of the group: at his next login the tokens that he has end.
    assert login(identity, OIDC_groups="others").json["token"]["user"]["OS-FEDERATION"]["groups"] == []
    identity.service.revocations.run_once()
    assert identity.send("GET", "/v3/auth/projects", token=scoped.headers["X-Subject-Token"]).status_int == 401


def test_group_memberships_reported_by_a_provider_expire(identity, ask, provider, monkeypatch):
    project = ask("POST", "/projects", {"project": {"name": "p"}}, 201)["project"]["id"]
    role = ask("GET", "/roles?name=member")["roles"][0]["id"]
    ask("PUT", f"/projects/{project}/groups/{provider['group']}/roles/{role}", expect=204)
    ask("PATCH", "/OS-FEDERATION/identity_providers/idp", {"identity_provider": {"authorization_ttl": 5}})
    token = login(identity).headers["X-Subject-Token"]
    asked = {"auth": {"identity": {"methods": ["token"], "token": {"id": token}}, "scope": {"project": {"id": project}}}}
    scoped = identity.send("POST", "/v3/auth/tokens", asked)
    check = identity.service.verifier.check
    assert scoped.status_int == 201
    assert check(scoped.headers["X-Subject-Token"]).expires_at <= check(token).issued_at + 301, "its roles are for five minutes"
    # Nor does what he lends last longer.
    user, bob = check(token).user_id, ask("POST", "/users", {"user": {"name": "bob", "password": "pw"}}, 201)["user"]["id"]
    trust = identity.send("POST", "/v3/OS-TRUST/trusts", {"trust": {
        "trustor_user_id": user, "trustee_user_id": bob, "impersonation": False, "project_id": project,
        "roles": [{"name": "member"}]}}, token=scoped.headers["X-Subject-Token"]).json["trust"]["id"]
    lent = identity.login("bob", "pw", {"OS-TRUST:trust": {"id": trust}}).headers["X-Subject-Token"]
    assert check(lent).project_id == project and check(lent).expires_at <= check(token).issued_at + 301
    from identity.db import grants
    real = grants.time.time
    monkeypatch.setattr(grants, "time", type("Later", (), {"time": staticmethod(lambda: real() + 301)}))
    assert identity.send("POST", "/v3/auth/tokens", asked).status_int == 401


def test_removed_remote_ids_are_not_accepted(ask, provider):
    path = "/OS-FEDERATION/identity_providers"
    shown = ask("PATCH", f"{path}/idp", {"identity_provider": {"remote_ids": None}})["identity_provider"]
    assert shown["remote_ids"] == [] == ask("GET", f"{path}/idp")["identity_provider"]["remote_ids"]
    ask("PUT", f"{path}/another", {"identity_provider": {}}, 201)


def test_requests_that_do_not_come_from_the_proxy_are_refused(identity, ask, provider):
    for wrong in ("", "guess", SECRET + "x"):
        assert login(identity, secret=wrong).status_int == 401
    assert login(identity, OIDC_iss="https://evil.example.org").status_int == 403, "another provider's user"
    assert login(identity, OIDC_iss=None).status_int == 403
    assert login(identity, OIDC_sub=None).status_int == 401
    ask("PATCH", "/OS-FEDERATION/identity_providers/idp", {"identity_provider": {"enabled": False}})
    assert login(identity).status_int == 403
    assert login(identity, path="/v3/OS-FEDERATION/identity_providers/none/protocols/openid/auth").status_int == 404


def test_without_a_secret_it_is_off(tmp_path):
    off = Caller(tmp_path)
    try:
        assert login(off, secret="").status_int == 401
    finally:
        off.close()


def test_disabling_a_provider_revokes_the_tokens_of_its_users(identity, ask, provider):
    token = login(identity).headers["X-Subject-Token"]
    assert identity.send("GET", "/v3/auth/projects", token=token).status_int == 200
    ask("PATCH", "/OS-FEDERATION/identity_providers/idp", {"identity_provider": {"enabled": False}})
    assert identity.send("GET", "/v3/auth/projects", token=token).status_int == 401


def test_local_users_and_projects_of_a_mapping(identity, ask, provider):
    ask("POST", "/users", {"user": {"name": "ann", "domain_id": "default"}}, 201)
    rules = [{"local": [{"user": {"name": "{0}", "type": "local", "domain": {"id": "default"}}}],
              "remote": [{"type": "HTTP_OIDC_SUB"}]}]
    ask("PATCH", "/OS-FEDERATION/mappings/m", {"mapping": {"rules": rules}})
    assert login(identity).json["token"]["user"]["domain"]["id"] == "default"
    assert login(identity, OIDC_sub="nobody").status_int == 401
    rules = [{"local": [{"user": {"name": "{0}"}}, {"projects": [{"name": "of {0}", "roles": [{"name": "member"}]}]}],
              "remote": [{"type": "HTTP_OIDC_SUB"}]}]
    ask("PATCH", "/OS-FEDERATION/mappings/m", {"mapping": {"rules": rules}})
    for _ in range(2):
        token = login(identity).headers["X-Subject-Token"]
    assert [p["name"] for p in identity.send("GET", "/v3/auth/projects", token=token).json["projects"]] == ["of ann"]


def test_a_browser_is_sent_on_with_its_token(identity, provider):
    for path in ("/v3/auth/OS-FEDERATION/websso/openid", "/v3/auth/OS-FEDERATION/identity_providers/idp/protocols/openid/websso"):
        page = login(identity, path=path + "?origin=https://dash/sso")
        assert page.status_int == 200 and 'action="https://dash/sso"' in page.text and 'name="token" value="eyJ' in page.text
        assert "script-src 'nonce-" in page.headers["Content-Security-Policy"] and page.headers["Cache-Control"] == "no-store"
        assert login(identity, path=path + "?origin=https://evil/").status_int == 401
    path = "/v3/auth/OS-FEDERATION/websso/openid?origin=https://dash/sso"
    assert login(identity, path=path, OIDC_iss="https://evil").status_int == 403


def test_providers_protocols_and_mappings(identity, ask, provider):
    base = "/OS-FEDERATION"
    shown = ask("GET", f"{base}/identity_providers/idp")["identity_provider"]
    assert shown["remote_ids"] == [ISSUER] and shown["enabled"] and shown["links"]["protocols"].endswith("/idp/protocols")
    assert [p["id"] for p in ask("GET", f"{base}/identity_providers")["identity_providers"]] == ["idp"]
    assert ask("GET", f"{base}/identity_providers?enabled=false")["identity_providers"] == []
    own = ask("PUT", f"{base}/identity_providers/own", {"identity_provider": {"description": "d"}}, 201)["identity_provider"]
    assert ask("GET", f"/domains/{own['domain_id']}")["domain"]["description"].endswith(": own")
    (protocol,) = ask("GET", f"{base}/identity_providers/idp/protocols")["protocols"]
    assert protocol["id"] == "openid" and protocol["mapping_id"] == "m"
    assert ask("GET", f"{base}/mappings/m")["mapping"]["rules"] == RULES
    for method, status in (("PUT", 201), ("PATCH", 200)):  # clients send the whole mapping that they were shown
        assert ask(method, f"{base}/mappings/k", {"mapping": {"id": "other", "rules": RULES}}, status)["mapping"]["id"] == "k"
    ask("DELETE", f"{base}/mappings/k", expect=204)
    made = {"service_provider": {"auth_url": "https://a", "sp_url": "https://s"}}
    assert ask("PUT", f"{base}/service_providers/s", made, 201)["service_provider"]["relay_state_prefix"] == "ss:mem:"
    changed = ask("PATCH", f"{base}/service_providers/s", {"service_provider": {"description": "x"}})
    assert changed["service_provider"]["description"] == "x"
    for method, path, body, status in (
            ("PUT", "/identity_providers/idp", {"identity_provider": {}}, 409),
            ("PUT", "/identity_providers/new", {"identity_provider": {"remote_ids": [ISSUER]}}, 409),
            ("PUT", "/identity_providers/new", {"identity_provider": {"domain_id": "nothing"}}, 404),
            ("PATCH", "/identity_providers/idp", {"identity_provider": {"domain_id": "default"}}, 400),
            ("PUT", "/identity_providers/idp/protocols/p", {"protocol": {"mapping_id": "nothing"}}, 404),
            ("PUT", "/identity_providers/none/protocols/p", {"protocol": {"mapping_id": "m"}}, 404),
            ("PUT", "/mappings/n", {"mapping": {"rules": []}}, 400), ("DELETE", "/mappings/m", None, 409),
            ("PUT", "/mappings/n", {"mapping": {"rules": [{"local": [{"user": {}}], "remote": [{"any_one_of": ["x"]}]}]}}, 400),
            ("PUT", "/service_providers/t", {"service_provider": {"auth_url": "x", "sp_url": "y"}}, 400)):
        ask(method, base + path, body, status)
    for path in ("/identity_providers/idp/protocols/openid", "/mappings/m", "/identity_providers/idp", "/service_providers/s"):
        ask("DELETE", base + path, expect=204)
        ask("GET", base + path, expect=404)
