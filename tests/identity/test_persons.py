"""The persons of OpenStack's default rules: what the reader of the system, and a domain's manager and reader, may and may not."""

import json

import pytest


@pytest.fixture
def world(identity):
    """Two domains with a user, a group and a project each; and ``ask(token, …)``, ``person(role, scope)``."""
    token = identity.admin

    class World:
        roles = {r["name"]: r["id"] for r in identity.send("GET", "/v3/roles", token=token).json["roles"]}

        def ask(self, who, method, path, body=None, expect=200):
            response = identity.send(method, "/v3" + path, body, token=who)
            assert response.status_int == expect, (method, path, response.status_int, response.text)
            return response.json if response.body else None

        def admin(self, method, path, body=None, expect=200):
            return self.ask(token, method, path, body, expect)

        def person(self, role: str, domain: str, on: str, scope: dict) -> str:
            given = {"user": {"name": role, "password": "pw", "domain_id": domain}}
            user = self.admin("POST", "/users", given, 201)["user"]["id"]
            self.admin("PUT", f"{on}/users/{user}/roles/{self.roles[role]}", expect=204)
            return self.login(user, scope)

        def login(self, user: str, scope="unscoped") -> str:
            return identity.send("POST", "/v3/auth/tokens", {"auth": {"scope": scope, "identity": {
                "methods": ["password"], "password": {"user": {"id": user, "password": "pw"}}}}}).headers["X-Subject-Token"]
    made = World()
    for name in ("own", "far"):
        domain = made.admin("POST", "/domains", {"domain": {"name": name}}, 201)["domain"]["id"]
        things = {noun: made.admin("POST", f"/{noun}s", {noun: {"name": noun, "domain_id": domain}}, 201)[noun]["id"]
                  for noun in ("user", "group", "project")}
        setattr(made, name, {"domain": domain, **things})
    return made


@pytest.fixture
def manager(world):
    domain = world.own["domain"]
    return world.person("manager", domain, f"/domains/{domain}", {"domain": {"id": domain}})


def test_a_manager_rules_his_domain(world, manager):
    ask, own = world.ask, world.own
    for noun in ("user", "group", "project"):
        assert own[noun] in [x["id"] for x in ask(manager, "GET", f"/{noun}s")[f"{noun}s"]]
        made = ask(manager, "POST", f"/{noun}s", {noun: {"name": "new", "domain_id": own["domain"]}}, 201)[noun]
        ask(manager, "PATCH", f"/{noun}s/{made['id']}", {noun: {"description": "d"}})
        ask(manager, "DELETE", f"/{noun}s/{made['id']}", expect=204)
    ask(manager, "PUT", f"/groups/{own['group']}/users/{own['user']}", expect=204)
    assert [u["id"] for u in ask(manager, "GET", f"/groups/{own['group']}/users")["users"]] == [own["user"]]
    role = f"/projects/{own['project']}/users/{own['user']}/roles"
    for name in ("reader", "member", "manager"):
        ask(manager, "PUT", f"{role}/{world.roles[name]}", expect=204)
    assert len(ask(manager, "GET", role)["roles"]) == 3
    ask(manager, "DELETE", f"{role}/{world.roles['member']}", expect=204)
    ask(manager, "GET", "/roles")
    assert ask(manager, "GET", f"/domains/{own['domain']}")["domain"]["name"] == "own"


def test_a_manager_does_not_reach_beyond_it(world, manager):
    ask, own, far = world.ask, world.own, world.far
    for noun in ("user", "group", "project"):
        assert ask(manager, "GET", f"/{noun}s?domain_id={far['domain']}")[f"{noun}s"] == []
        for method, path, body in (("GET", f"/{noun}s/{far[noun]}", None),
                                   ("POST", f"/{noun}s", {noun: {"name": "x", "domain_id": far["domain"]}}),
                                   ("PATCH", f"/{noun}s/{far[noun]}", {noun: {"description": "x"}}),
                                   ("POST", f"/{noun}s", {noun: {"name": "x", "domain_id": None}}),
                                   ("POST", f"/{noun}s", {noun: {"name": "x"}}), ("GET", f"/{noun}s/nothing", None),
                                   ("DELETE", f"/{noun}s/{far[noun]}", None)):
            ask(manager, method, path, body, 403)
    ask(manager, "PUT", f"/groups/{own['group']}/users/{far['user']}", expect=403)
    ask(manager, "PUT", f"/groups/{far['group']}/users/{own['user']}", expect=403)
    member = world.roles["member"]
    for path in (f"/projects/{own['project']}/users/{own['user']}/roles/{world.roles['admin']}",
                 f"/projects/{own['project']}/users/{own['user']}/roles/{world.roles['service']}",
                 f"/projects/{far['project']}/users/{own['user']}/roles/{member}",
                 f"/projects/{own['project']}/users/{far['user']}/roles/{member}",
                 f"/system/users/{own['user']}/roles/{member}"):
        ask(manager, "PUT", path, expect=403)
    for path in ("/services", "/roles?domain_id=" + own["domain"], f"/users/{far['user']}/projects"):
        ask(manager, "GET", path, expect=403)
    assert ask(manager, "GET", "/credentials?user_id=" + own["user"])["credentials"] == []
    assert [d["id"] for d in ask(manager, "GET", "/domains")["domains"]] == [own["domain"]]
    assert ask(manager, "GET", "/projects?is_domain=true")["projects"] == []
    ask(manager, "PATCH", f"/domains/{own['domain']}", {"domain": {"enabled": False}}, 403)


def test_a_manager_does_not_become_an_administrator(world, manager):
    """An administrator's account in his domain, and a group that makes administrators, are not his to change."""
    ask, own = world.ask, world.own
    admin_role = world.roles["admin"]
    world.admin("PUT", f"/system/users/{own['user']}/roles/{admin_role}", expect=204)
    ask(manager, "PATCH", f"/users/{own['user']}", {"user": {"password": "mine"}}, 403)
    ask(manager, "DELETE", f"/users/{own['user']}", expect=403)
    another = ask(manager, "POST", "/users", {"user": {"name": "another", "domain_id": own["domain"]}}, 201)["user"]["id"]
    world.admin("PUT", f"/domains/{own['domain']}/groups/{own['group']}/roles/{admin_role}", expect=204)
    ask(manager, "PUT", f"/groups/{own['group']}/users/{another}", expect=403)
    world.admin("PUT", f"/groups/{own['group']}/users/{another}", expect=204)
    ask(manager, "PATCH", f"/users/{another}", {"user": {"password": "mine"}}, 403)


def test_v2_applies_the_rules_of_v3_to_tenants(identity, world, manager):
    """In v2.0 a user's tenant makes him a member there: not of a project of another domain."""
    own, far = world.own, world.far

    def give(project: str) -> int:
        return identity.send("PUT", f"/v2.0/users/{own['user']}/OS-KSADM/tenant", {"user": {"tenantId": project}},
                             token=manager).status_int
    assert give(far["project"]) == 403
    path = f"/projects/{far['project']}/users/{own['user']}/roles"
    assert world.admin("GET", path)["roles"] == []
    assert "default_project_id" not in world.admin("GET", f"/users/{own['user']}")["user"]
    assert give(own["project"]) == 200


def test_a_domain_that_is_no_id_is_refused(world, manager):
    for wrong in ([], {}, 5, ["x"]):
        for noun in ("user", "group", "project"):
            world.admin("POST", f"/{noun}s", {noun: {"name": "x", "domain_id": wrong}}, 400)
            world.ask(manager, "POST", f"/{noun}s", {noun: {"name": "x", "domain_id": wrong}}, 403)
    world.admin("POST", "/users", {"user": []}, 400)
    of_project = world.person("manager", world.far["domain"], f"/projects/{world.own['project']}",
                              {"project": {"id": world.own["project"]}})
    for noun in ("user", "group", "project"):
        for none in ({}, {"domain_id": None}, {"domain_id": "None"}):  # a token for a project has no domain: that is no match
            world.ask(of_project, "POST", f"/{noun}s", {noun: {"name": "x", **none}}, 403)


def test_readers(world):
    domain = world.own["domain"]
    of_domain = world.person("reader", domain, f"/domains/{domain}", {"domain": {"id": domain}})
    of_system = world.person("reader", world.far["domain"], "/system", {"system": {"all": True}})
    for noun in ("user", "group", "project"):
        assert {x["domain_id"] for x in world.ask(of_domain, "GET", f"/{noun}s")[f"{noun}s"]} == {domain}
        world.ask(of_domain, "GET", f"/{noun}s/{world.far[noun]}", expect=403)
        world.ask(of_system, "GET", f"/{noun}s/{world.own[noun]}")
        for token in (of_domain, of_system):
            world.ask(token, "POST", f"/{noun}s", {noun: {"name": "x"}}, 403)
            world.ask(token, "PATCH", f"/{noun}s/{world.own[noun]}", {noun: {"name": "x"}}, 403)
            world.ask(token, "DELETE", f"/{noun}s/{world.own[noun]}", expect=403)
    for path in ("/services", "/endpoints", "/roles", "/policies", "/OS-OAUTH1/consumers"):
        world.ask(of_system, "GET", path)
        world.ask(of_domain, "GET", path, expect=403)


def test_readers_of_the_system_see_credentials_without_their_secrets(identity, world):
    reader = world.person("reader", world.far["domain"], "/system", {"system": {"all": True}})
    me = world.admin("GET", "/users?name=admin")["users"][0]["id"]
    home = world.admin("GET", "/auth/projects")["projects"][0]["id"]
    path = f"/users/{me}/credentials/OS-EC2"
    note = world.admin("POST", "/credentials", {"credential": {"type": "note", "blob": "secret", "user_id": me}}, 201)
    key = world.admin("POST", path, {"tenant_id": home}, 201)["credential"]
    for shown in (*world.ask(reader, "GET", "/credentials")["credentials"],
                  world.ask(reader, "GET", f"/credentials/{note['credential']['id']}")["credential"]):
        assert shown["user_id"] == me and shown["blob"] == ""
    one = world.ask(reader, "GET", f"{path}/{key['access']}")["credential"]
    for shown in (*world.ask(reader, "GET", path)["credentials"], one):
        assert shown["access"] == key["access"] and shown["secret"] == ""
    assert {c["blob"] for c in world.admin("GET", "/credentials")["credentials"]} == {"secret", json.dumps(
        {k: key[k] for k in ("access", "secret")})}
    assert world.admin("GET", path)["credentials"] == [key]


def test_a_token_for_a_domain_lists_what_is_in_it(world, manager):
    """Also where the caller reads more: members, groups and assignments of others are not in the lists."""
    own, far, admin = world.own, world.far, world.admin
    for group, user in ((own["group"], far["user"]), (far["group"], own["user"]), (own["group"], own["user"])):
        admin("PUT", f"/groups/{group}/users/{user}", expect=204)
    for target in (f"/domains/{own['domain']}", f"/domains/{far['domain']}", f"/projects/{own['project']}",
                   f"/projects/{far['project']}", "/system"):
        admin("PUT", f"{target}/users/{own['user']}/roles/{world.roles['member']}", expect=204)
    assert [u["id"] for u in world.ask(manager, "GET", f"/groups/{own['group']}/users")["users"]] == [own["user"]]
    assert [g["id"] for g in world.ask(manager, "GET", f"/users/{own['user']}/groups")["groups"]] == [own["group"]]
    shown = world.ask(manager, "GET", f"/role_assignments?user.id={own['user']}")["role_assignments"]
    assert sorted(json.dumps(a["scope"]) for a in shown) == sorted(json.dumps(s) for s in (
        {"domain": {"id": own["domain"]}}, {"project": {"id": own["project"]}}))
    tree = "/role_assignments?include_subtree&scope.project.id="
    assert len(world.ask(manager, "GET", tree + own["project"])["role_assignments"]) == 1
    world.ask(manager, "GET", tree + far["project"], expect=403)
    world.ask(manager, "GET", tree + "nothing", expect=404)


def test_a_manager_cannot_change_users_with_roles_beyond_those_that_he_may_grant(identity, world, manager):
    """Wherever they hold it: their password, name, groups, roles and end are not his; nor is a group that gives such a role."""
    own, far, admin, ask = world.own, world.far, world.admin, world.ask
    roles, user, member = dict(world.roles), own["user"], world.roles["member"]
    roles["auditor"] = admin("POST", "/roles", {"role": {"name": "auditor"}}, 201)["role"]["id"]
    roles["own"] = admin("POST", "/roles", {"role": {"name": "member", "domain_id": own["domain"]}}, 201)["role"]["id"]
    admin("PUT", f"/roles/{roles['own']}/implies/{roles['service']}", expect=201)
    plain = admin("POST", "/groups", {"group": {"name": "plain", "domain_id": own["domain"]}}, 201)["group"]["id"]
    for group in (plain, own["group"]):
        admin("PUT", f"/groups/{group}/users/{user}", expect=204)
    bodies = ({"password": "mine"}, {"name": "x"}, {"enabled": False}, {"options": {"lock_password": True}}, {"email": "a@b"})
    asked = [*(("PATCH", f"/v3/users/{user}", {"user": body}) for body in bodies),
             *((method, f"/v3{path}", None) for method, path in (
                 ("DELETE", f"/users/{user}"), ("PUT", f"/groups/{plain}/users/{user}"),
                 ("DELETE", f"/groups/{plain}/users/{user}"), ("PUT", f"/groups/{own['group']}/users/{user}"),
                 ("PUT", f"/projects/{own['project']}/users/{user}/roles/{member}"),
                 ("PUT", f"/domains/{own['domain']}/users/{user}/roles/{member}"),
                 ("PUT", f"/OS-INHERIT/domains/{own['domain']}/users/{user}/roles/{member}/inherited_to_projects"))),
             *(("PUT", f"/v2.0/users/{user}/{path}", {"user": {"password": "mine", "tenantId": own["project"]}})
               for path in ("OS-KSADM/password", "OS-KSADM/enabled", "enabled", "OS-KSADM/tenant"))]
    of_group = [("PATCH", f"/v3/groups/{own['group']}", {"group": {"name": "x"}}), ("DELETE", f"/v3/groups/{own['group']}", None),
                ("PUT", f"/v3/projects/{own['project']}/groups/{own['group']}/roles/{member}", None)]
    for role in ("admin", "service", "auditor", "own"):
        for through in ("user", "group"):
            grant = f"/projects/{(own if role == 'own' else far)['project']}/{through}s/{own[through]}/roles/{roles[role]}"
            admin("PUT", grant, expect=204)
            for method, path, body in (*asked, *(of_group if through == "group" else ())):
                status = identity.send(method, path, body, token=manager).status_int
                assert status == 403, (role, through, method, path, body, status)
            admin("DELETE", grant, expect=204)
            ask(manager, "PATCH", f"/users/{user}", {"user": {"password": "mine"}})
            ask(manager, "PATCH", f"/groups/{own['group']}", {"group": {"description": "x"}})


def test_a_manager_cannot_grant_a_role_that_implies_more(world, manager):
    """A role of his domain is what it implies, whatever its name is."""
    own, admin = world.own, world.admin
    made = admin("POST", "/roles", {"role": {"name": "manager", "domain_id": own["domain"]}}, 201)["role"]["id"]
    path = f"/projects/{own['project']}/users/{own['user']}/roles/{made}"
    admin("PUT", f"/roles/{made}/implies/{world.roles['member']}", expect=201)
    world.ask(manager, "PUT", path, expect=204)
    world.ask(manager, "DELETE", path, expect=204)
    admin("PUT", f"/roles/{made}/implies/{world.roles['service']}", expect=201)
    world.ask(manager, "PUT", path, expect=403)


def test_a_project_stays_where_it_is(world, manager):
    """Roles are inherited from above: a project that could be moved would have other rulers."""
    own, far = world.own, world.far
    for parent in (far["project"], far["domain"], "nothing", None):
        world.ask(manager, "PATCH", f"/projects/{own['project']}", {"project": {"parent_id": parent}}, 403)
        world.admin("PATCH", f"/projects/{own['project']}", {"project": {"parent_id": parent}}, 403)
    world.ask(manager, "PATCH", f"/projects/{own['project']}", {"project": {"parent_id": own["domain"], "name": "n"}})


def test_a_role_that_is_not_implied_any_more_ends_tokens_at_any_depth(identity, world):
    own, admin, roles = world.own, world.admin, {}
    for name in ("top", "middle", "low"):
        roles[name] = admin("POST", "/roles", {"role": {"name": name}}, 201)["role"]["id"]
    for prior, implied in (("top", "middle"), ("middle", "low")):
        admin("PUT", f"/roles/{roles[prior]}/implies/{roles[implied]}", expect=201)
    admin("PUT", f"/projects/{own['project']}/users/{own['user']}/roles/{roles['top']}", expect=204)
    admin("PATCH", f"/users/{own['user']}", {"user": {"password": "pw"}})

    def token() -> str:
        return identity.send("POST", "/v3/auth/tokens", {"auth": {"scope": {"project": {"id": own["project"]}}, "identity": {
            "methods": ["password"], "password": {"user": {"id": own["user"], "password": "pw"}}}}}).headers["X-Subject-Token"]
    for take in (lambda: admin("DELETE", f"/roles/{roles['middle']}/implies/{roles['low']}", expect=204),
                 lambda: admin("DELETE", f"/roles/{roles['middle']}", expect=204)):
        held = token()
        world.ask(held, "GET", "/auth/projects")
        take()
        world.ask(held, "GET", "/auth/projects", expect=401)


def test_a_domains_roles_have_rules_of_their_own(world, manager):
    domain, ask = world.own["domain"], world.ask
    made = world.admin("POST", "/roles", {"role": {"name": "member", "domain_id": domain}}, 201)["role"]["id"]
    for method, path, body, rule in (
            ("GET", f"/roles?domain_id={domain}", None, "list_domain_roles"), ("GET", f"/roles/{made}", None, "get_domain_role"),
            ("POST", "/roles", {"role": {"name": "x", "domain_id": domain}}, "create_domain_role"),
            ("PATCH", f"/roles/{made}", {"role": {"description": "x"}}, "update_domain_role"),
            ("DELETE", f"/roles/{made}", None, "delete_domain_role"),
            ("POST", "/roles", {"role": {"name": "x"}}, "create_role"),
            ("GET", f"/roles/{world.roles['admin']}", None, "get_role")):
        refused = ask(manager, method, path, body, 403)["error"]["message"]
        assert refused == f"You are not authorized to perform the requested action: identity:{rule}."
    assert ask(manager, "GET", f"/roles/{world.roles['member']}")["role"]["name"] == "member"


def test_a_domain_as_a_project_is_ruled_as_a_project(world, manager):
    """Which is in no domain: who rules one has no more of it by this door."""
    domain, acts = world.own["domain"], {"project": {"name": "x", "is_domain": True}}
    reader = world.person("reader", world.far["domain"], "/system", {"system": {"all": True}})
    for method, path, body, rule in (("GET", f"/projects/{domain}", None, "get"), ("POST", "/projects", acts, "create"),
                                     ("PATCH", f"/projects/{domain}", {"project": {"enabled": False}}, "update"),
                                     ("DELETE", f"/projects/{domain}", None, "delete")):
        assert f"identity:{rule}_project." in world.ask(manager, method, path, body, 403)["error"]["message"]
    assert world.ask(reader, "GET", f"/projects/{domain}")["project"]["is_domain"]
    assert {p["id"] for p in world.ask(reader, "GET", "/projects?is_domain=true")["projects"]} >= {domain, "default"}
    world.admin("PATCH", f"/projects/{domain}", {"project": {"description": "x"}})


def test_anybody_may_know_what_passwords_must_look_like(world, manager):
    path = "/domains/default/config/security_compliance"
    shown = world.ask(manager, "GET", path)["config"]["security_compliance"]
    assert set(shown) == {"password_regex", "password_regex_description"}
    assert world.ask(manager, "GET", path + "/password_regex")["config"] == {"password_regex": shown["password_regex"]}
    world.ask(manager, "GET", path + "/lockout_duration", expect=403)
    world.ask(manager, "GET", f"/domains/{world.own['domain']}/config/security_compliance", expect=403)


def test_all_tokens_of_a_user_end(world, manager):
    own = world.own
    world.admin("PATCH", f"/users/{own['user']}", {"user": {"password": "pw"}})

    def token() -> str:
        return world.login(own["user"])
    first, second = token(), token()
    world.ask(manager, "DELETE", f"/users/{own['user']}/tokens", expect=403)
    world.ask(first, "DELETE", f"/users/{own['user']}/tokens", expect=204)
    for ended in (first, second):
        world.ask(ended, "GET", "/auth/projects", expect=401)
    world.ask(token(), "GET", "/auth/projects")
