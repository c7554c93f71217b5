"""Identity v2.0, asked without a client: what each port shows, and what a wrong request gets."""

import pytest

DOMAIN = {"domain": {"id": "default"}}


@pytest.fixture
def old(identity):
    """Requests as the administrator, at the administrators' port."""
    token = identity.admin

    def inner(method, path, body=None, expect=200, **more):
        response = identity.send(method, "/v2.0" + path, body, **{"token": token, "app": identity.admin_app, **more})
        assert response.status_int == expect, response.text
        return response.json if response.body else None
    return inner


def login(name: str, password: str, **more) -> dict:
    return {"auth": {"passwordCredentials": {"username": name, "password": password}, **more}}


def test_both_versions_are_discovered(identity):
    found = identity.send("GET", "/", token="")
    assert found.status_int == 300 and [v["id"] for v in found.json["versions"]["values"]] == ["v3.14", "v2.0"]
    assert identity.send("GET", "/v2.0/").json["version"]["status"] == "deprecated"
    assert identity.send("GET", "/v2.0/extensions/OS-KSADM").status_int == 401
    assert "OS-KSADM" in [e["alias"] for e in identity.send("GET", "/v2.0/extensions").json["extensions"]["values"]]


def test_a_user_of_a_tenant(identity, old):
    tenant = old("POST", "/tenants", {"tenant": {"name": "t"}})["tenant"]
    user = old("POST", "/users", {"user": {"name": "u", "password": "pw", "tenantId": tenant["id"]}})["user"]
    assert [u["id"] for u in old("GET", f"/tenants/{tenant['id']}/users")["users"]] == [user["id"]]
    access = old("POST", "/tokens", login("u", "pw"), token="")["access"]
    assert access["token"]["tenant"] == tenant and access["user"]["roles"] == [{"name": "member"}, {"name": "reader"}]
    identity_urls = [e for s in access["serviceCatalog"] if s["type"] == "identity" for e in s["endpoints"]]
    assert identity_urls[0]["publicURL"].endswith(":5000/v2.0") and identity_urls[0]["adminURL"].endswith(":35357/v2.0")
    token = access["token"]["id"]
    # At the port for all he sees his own, at the administrators' nothing.
    assert old("GET", "/tenants", token=token, app=identity.app)["tenants"] == [tenant]
    old("GET", "/tenants", token=token, expect=403)
    old("POST", "/users", {"user": {"name": "x"}}, token=token, expect=403)
    assert old("GET", f"/tokens/{token}")["access"]["user"]["id"] == user["id"]
    old("GET", f"/tokens/{token}?belongsTo={tenant['id']}")
    old("GET", f"/tokens/{token}?belongsTo=another", expect=401)
    again = old("POST", "/tokens", {"auth": {"token": {"id": token}, "tenantName": "t"}}, token="")["access"]["token"]
    assert again["expires"] == access["token"]["expires"], "rescoping never lengthens life"
    # He changes his password: his tokens end, and the answer is a new one.
    changed = {"user": {"password": "new", "original_password": "pw"}}
    own = f"/OS-KSCRUD/users/{user['id']}"
    old("PATCH", own, {"user": {**changed["user"], "original_password": "x"}}, token=token, expect=401)
    fresh = old("PATCH", own, changed, token=token)["access"]["token"]["id"]
    old("GET", f"/tokens/{token}", expect=404)
    old("DELETE", f"/tokens/{fresh}", expect=204)
    old("POST", "/tokens", {"auth": {"token": {"id": fresh}}}, token="", expect=401)
    old("PUT", f"/users/{user['id']}/OS-KSADM/enabled", {"user": {"enabled": False}})
    old("POST", "/tokens", login("u", "new"), token="", expect=401)


def test_roles_on_a_tenant(old):
    tenant = old("POST", "/tenants", {"tenant": {"name": "t"}})["tenant"]["id"]
    user = old("POST", "/users", {"user": {"username": "u"}})["user"]["id"]
    role = old("POST", "/OS-KSADM/roles", {"role": {"name": "r"}})["role"]
    path = f"/tenants/{tenant}/users/{user}/roles"
    assert old("PUT", f"{path}/OS-KSADM/{role['id']}")["role"] == role == old("GET", f"/OS-KSADM/roles/{role['id']}")["role"]
    old("PUT", f"{path}/OS-KSADM/{role['id']}", expect=409)
    assert old("GET", path)["roles"] == [role]
    old("DELETE", f"{path}/OS-KSADM/{role['id']}", expect=204)
    old("DELETE", f"{path}/OS-KSADM/{role['id']}", expect=404)
    old("PUT", f"{path}/OS-KSADM/nothing", expect=404)
    old("GET", f"/tenants/nothing/users/{user}/roles", expect=404)
    old("PUT", f"/users/{user}/OS-KSADM/tenant", {"user": {"tenantId": "nothing"}}, expect=404)
    assert old("PUT", f"/users/{user}/OS-KSADM/tenant", {"user": {"tenantId": tenant}})["user"]["tenantId"] == tenant


def test_names_pages_and_wrong_requests(old):
    ids = sorted(old("POST", "/tenants", {"tenant": {"name": n}})["tenant"]["id"] for n in ("one", "two", "three"))
    every = [t["id"] for t in old("GET", "/tenants")["tenants"]]
    assert set(ids) < set(every) and old("GET", "/tenants?limit=2")["tenants"] == old("GET", "/tenants")["tenants"][:2]
    assert [t["id"] for t in old("GET", f"/tenants?marker={every[1]}")["tenants"]] == every[2:]
    old("GET", "/tenants?marker=x", expect=400)
    assert old("GET", "/tenants?name=one")["tenant"]["name"] == "one" and old("GET", "/users?name=admin")["user"]["enabled"]
    for method, path, body, status in (
            ("GET", "/tenants?name=x", None, 404), ("GET", "/users?name=x", None, 404), ("GET", "/users/x", None, 404),
            ("POST", "/tenants", {"tenant": {"name": "one"}}, 409), ("POST", "/tenants", {"tenant": {}}, 400),
            ("POST", "/users", {"user": {"name": "u", "enabled": 3}}, 400), ("POST", "/users", {"user": {"password": "x"}}, 400),
            ("POST", "/users", {"user": {"name": "u", "tenantId": "x"}}, 404), ("DELETE", "/endpoints/x", None, 404),
            ("POST", "/endpoints", {"endpoint": {"service_id": "x", "publicurl": "http://x"}}, 404),
            ("POST", "/endpoints", {"endpoint": {"service_id": "x", "publicurl": "no url"}}, 400),
            ("POST", "/endpoints", {"endpoint": {"service_id": "x", "publicurl": None}}, 400)):
        old(method, path, body, expect=status)
    assert not [u for u in old("GET", "/users")["users"] if u["name"] == "u"], "what was refused changed nothing"
    for auth in ({}, {"passwordCredentials": {"password": "x"}},
                 {"passwordCredentials": {"username": "a", "userId": "b", "password": "x"}},
                 {"token": {"id": "x"}, "tenantName": "a", "tenantId": "b"}):
        old("POST", "/tokens", {"auth": auth}, token="", expect=400)


def test_another_domain_is_not_there(identity, old):
    domain = identity.send("POST", "/v3/domains", {"domain": {"name": "d"}}, token=identity.admin).json["domain"]["id"]
    given = {"user": {"name": "u", "password": "pw", "domain_id": domain}}
    user = identity.send("POST", "/v3/users", given, token=identity.admin).json["user"]["id"]
    old("POST", "/tokens", {"auth": {"passwordCredentials": {"userId": user, "password": "pw"}}}, token="", expect=401)
    assert user not in [u["id"] for u in old("GET", "/users")["users"]]


def test_endpoints_of_both_versions(identity, old):
    service = old("POST", "/OS-KSADM/services", {"OS-KSADM:service": {"name": "s", "type": "tea"}})["OS-KSADM:service"]
    urls = {"publicurl": "http://p", "internalurl": "http://i", "adminurl": "http://a"}
    made = old("POST", "/endpoints", {"endpoint": {"service_id": service["id"], "region": "north", **urls}})["endpoint"]
    assert {**made, "enabled": True} in old("GET", "/endpoints")["endpoints"] and {k: made[k] for k in urls} == urls
    listed = identity.send("GET", f"/v3/endpoints?service_id={service['id']}", token=identity.admin).json["endpoints"]
    assert {e["interface"]: e["url"] for e in listed} == {"public": "http://p", "internal": "http://i", "admin": "http://a"}
    # Those that v3 made belong together by service and region.
    (own,) = [e for e in old("GET", "/endpoints")["endpoints"] if e["publicurl"].endswith(":5000/v3")]
    assert own["adminurl"].endswith(":35357/v3")
    old("DELETE", f"/endpoints/{made['id']}", expect=204)
    assert identity.send("GET", f"/v3/endpoints?service_id={service['id']}", token=identity.admin).json["endpoints"] == []
    assert old("GET", f"/OS-KSADM/services/{service['id']}")["OS-KSADM:service"] == service
    old("DELETE", f"/OS-KSADM/services/{service['id']}", expect=204)


def test_the_admin_token_is_off_unless_it_is_set(identity, tmp_path):
    for token in ("", "ADMIN", "None"):
        assert identity.send("GET", "/v2.0/users", token=token or "x", app=identity.admin_app).status_int == 401
