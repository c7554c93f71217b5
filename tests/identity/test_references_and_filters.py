"""What a request names, finds or leaves behind: filters, regions, URLs of the catalog, shapes of logins, default projects."""

import pytest


@pytest.fixture
def ask(identity):
    def inner(method, path, body=None, expect=200):
        response = identity.send(method, "/v3" + path, body, token=identity.admin)
        assert response.status_int == expect, (method, path, response.status_int, response.text)
        return response.json if response.body else {}
    return inner


@pytest.mark.parametrize("query, found", [
    ("name__contains=nn_x", {"hann_x"}), ("name__icontains=nn_x", {"Ann_X", "hann_x"}), ("name__startswith=A", {"Ann_X"}),
    ("name__istartswith=ANN", {"Ann_X", "annax"}), ("name__endswith=_x", {"hann_x"}), ("name__iendswith=_X", {"Ann_X", "hann_x"}),
    ("name__icontains=%", set()), ("name__contains=a&name__endswith=x", {"annax", "hann_x"}),
    ("name__colour=x", {"Ann_X", "annax", "hann_x"}), ("colour__contains=x", {"Ann_X", "annax", "hann_x"})])
def test_filters_by_a_part_of_the_name(ask, query, found):
    domain = ask("POST", "/domains", {"domain": {"name": "d"}}, 201)["domain"]["id"]
    for name in ("Ann_X", "annax", "hann_x"):
        ask("POST", "/users", {"user": {"name": name, "domain_id": domain}}, 201)
    assert {u["name"] for u in ask("GET", f"/users?domain_id={domain}&{query}")["users"]} == found


@pytest.mark.parametrize("query, text", [
    ("user.id=x&group.id=y", "Specify a user or group, not both"),
    ("scope.domain.id=x&scope.project.id=y", "Specify a domain or project, not both"),
    ("scope.system=all&scope.domain.id=x", "Specify system or domain, not both"),
    ("scope.system=all&scope.project.id=x", "Specify system or project, not both"),
    ("effective&scope.domain.id=x&scope.OS-INHERIT:inherited_to=projects", "Combining effective, domain and inherited")])
def test_filters_of_assignments_that_nothing_passes(ask, query, text):
    assert ask("GET", "/role_assignments?" + query, expect=400)["error"]["message"].startswith(text)


def test_urls_of_the_catalog(identity, ask):
    service = ask("POST", "/services", {"service": {"type": "tea"}}, 201)["service"]["id"]
    body = {"service_id": service, "interface": "public"}
    home = ask("GET", "/auth/projects")["projects"][0]["id"]
    for place in ("%(tenant_id)s", "%(project_id)s", "$(tenant_id)s", "$(project_id)s"):
        made = ask("POST", "/endpoints", {"endpoint": {**body, "url": f"http://h/AUTH_{place}/x"}}, 201)["endpoint"]["id"]
        (shown,) = (e["url"] for s in ask("GET", "/auth/catalog")["catalog"] if s["id"] == service for e in s["endpoints"])
        assert shown == f"http://h/AUTH_{home}/x"
        ask("PATCH", f"/endpoints/{made}", {"endpoint": {"url": "http://h/%(nope)s"}}, 400)
        ask("DELETE", f"/endpoints/{made}", expect=204)
    for url in ("http://a/%(nope)s", "http://a/$(tenant_id", "http://a/$(tenant_id)"):
        ask("POST", "/endpoints", {"endpoint": {**body, "url": url}}, 400)
    ask("POST", "/endpoints", {"endpoint": {**body, "url": "http://a", "region_id": "nope"}}, 400)
    ask("POST", "/endpoints", {"endpoint": {**body, "url": "http://a/50%25"}}, 201)


def test_regions_form_no_cycles_and_used_ones_cannot_be_deleted(ask):
    for id, parent in (("top", None), ("middle", "top"), ("low", "middle")):
        ask("POST", "/regions", {"region": {"id": id, "parent_region_id": parent}}, 201)
    ask("POST", "/regions", {"region": {"parent_region_id": "nope"}}, 404)
    ask("POST", "/regions", {"region": {"id": "own", "parent_region_id": "own"}}, 404)
    for parent in ("top", "middle", "low"):
        ask("PATCH", "/regions/top", {"region": {"parent_region_id": parent}}, 400)
    ask("PATCH", "/regions/low", {"region": {"parent_region_id": "top"}})
    service = ask("POST", "/services", {"service": {"type": "tea"}}, 201)["service"]["id"]
    endpoint = ask("POST", "/endpoints", {"endpoint": {"service_id": service, "interface": "public", "url": "http://a",
                                                       "region_id": "low"}}, 201)["endpoint"]["id"]
    ask("DELETE", "/regions/top", expect=403)
    assert len(ask("GET", "/regions?parent_region_id=top")["regions"]) == 2
    ask("DELETE", f"/endpoints/{endpoint}", expect=204)
    ask("DELETE", "/regions/top", expect=204)
    assert {r["id"] for r in ask("GET", "/regions")["regions"]} == {"RegionOne"}


@pytest.mark.parametrize("user", [{}, {"name": "admin"}, {"name": "admin", "domain": {}}])
@pytest.mark.parametrize("method, proof", [("password", {"password": "secret"}), ("totp", {"passcode": "1"})])
def test_a_login_names_its_user(identity, user, method, proof):
    auth = {"identity": {"methods": [method], method: {"user": {**user, **proof}}}}
    assert identity.send("POST", "/v3/auth/tokens", {"auth": auth}).status_int == 400


@pytest.mark.parametrize("scope, status", [
    ({"project": {"id": "x"}, "domain": {"id": "default"}}, 400), ({"project": {}}, 400), ({"project": {"name": "admin"}}, 400),
    ({"project": {"name": "admin", "domain": {}}}, 400), ({"domain": {}}, 400), ({"system": {}}, 400),
    ({"system": {"all": False}}, 400), ({}, 400), ({"system": {"all": True}}, 201), ({"domain": {"name": "Default"}}, 201),
    ({"project": {"name": "admin", "domain": {"name": "Default"}}}, 201), ({"unscoped": {}}, 201), ("unscoped", 201)])
def test_a_login_names_one_scope(identity, scope, status):
    auth = {"scope": scope, "identity": {"methods": ["password"], "password": {"user": {
        "name": "admin", "domain": {"id": "default"}, "password": "secret"}}}}
    assert identity.send("POST", "/v3/auth/tokens", {"auth": auth}).status_int == status


def test_a_deleted_project_is_no_longer_a_default_project(identity, ask):
    domain = ask("POST", "/domains", {"domain": {"name": "d"}}, 201)["domain"]["id"]
    homes = [ask("POST", "/projects", {"project": {"name": n, "domain_id": d}}, 201)["project"]["id"]
             for n, d in (("p", "default"), ("q", domain))]
    users = [ask("POST", "/users", {"user": {"name": n, "password": "pw", "default_project_id": p}}, 201)["user"]["id"]
             for n, p in (("u", homes[0]), ("v", homes[1]))]
    ask("DELETE", f"/projects/{homes[0]}", expect=204)
    ask("PATCH", f"/domains/{domain}", {"domain": {"enabled": False}})
    ask("DELETE", f"/domains/{domain}", expect=204)
    for user, name in zip(users, ("u", "v"), strict=True):
        assert "default_project_id" not in ask("GET", f"/users/{user}")["user"]
        assert identity.login(name, "pw").status_int == 201
