"""Trees of projects, what a domain holds together, and roles: who sees what of them, and what ends with a part of them."""

import pytest


@pytest.fixture
def world(identity):
    """``ask(method, path, body)`` as the administrator; ``user(domain)``, ``project(…)`` and ``give(role, user, on)``."""
    token = identity.admin

    class World:
        roles = {r["name"]: r["id"] for r in identity.send("GET", "/v3/roles", token=token).json["roles"]}
        serial = 0

        def ask(self, method, path, body=None, who=token, expect=range(200, 300)):
            response = identity.send(method, "/v3" + path, body, token=who)
            assert response.status_int in expect, (method, path, response.status_int, response.text)
            return response.json if response.body else {}

        def make(self, noun, **values):
            self.serial += 1
            return self.ask("POST", f"/{noun}s", {noun: {"name": f"{noun}-{self.serial}", **values}})[noun]["id"]

        def user(self, domain="default"):
            return self.make("user", domain_id=domain, password="pw")

        def give(self, role, on, user=None, group=None):
            self.ask("PUT", f"{on}/{'users' if user else 'groups'}/{user or group}/roles/{self.roles[role]}")

        def log_in(self, user, **scope):
            auth = {"identity": {"methods": ["password"], "password": {"user": {"id": user, "password": "pw"}}}, "scope": scope}
            return identity.send("POST", "/v3/auth/tokens", {"auth": auth}).headers["X-Subject-Token"]

        def works(self, who):
            return identity.send("GET", "/v3/auth/projects", token=who).status_int == 200
    return World()


def test_of_a_tree_a_project_shows_only_what_the_caller_has_a_role_on(world):
    top = world.make("project", description="merger with ACME")
    middle = world.make("project", parent_id=top)
    leaf, twin = world.make("project", parent_id=middle), world.make("project", parent_id=middle)
    user = world.user()
    for project in (middle, leaf):
        world.give("reader", f"/projects/{project}", user)
    token = world.log_in(user, project={"id": middle})
    shown = world.ask("GET", f"/projects/{middle}?parents_as_list&subtree_as_list", who=token)["project"]
    assert shown["parents"] == [] and [p["project"]["id"] for p in shown["subtree"]] == [leaf]
    shown = world.ask("GET", f"/projects/{middle}?parents_as_ids&subtree_as_ids", who=token)["project"]
    assert shown["parents"] == {top: None} and shown["subtree"] == dict.fromkeys(sorted((leaf, twin)))


def test_below_a_disabled_project_none_is_enabled(world):
    top = world.make("project")
    leaf = world.make("project", parent_id=top)

    def switch(project, enabled, expect=(200,)):
        world.ask("PATCH", f"/projects/{project}", {"project": {"enabled": enabled}}, expect=expect)
    switch(top, False, (403,))
    switch(leaf, False)
    switch(top, False)
    switch(leaf, True, (403,))
    world.ask("POST", "/projects", {"project": {"name": "new", "parent_id": leaf}}, expect=(400,))
    switch(top, True)
    switch(leaf, True)


def test_in_a_disabled_domain_no_project_is_made_or_enabled(world):
    domain = world.make("domain")
    project = world.make("project", domain_id=domain, enabled=False)
    world.ask("PATCH", f"/domains/{domain}", {"domain": {"enabled": False}})
    world.ask("POST", "/projects", {"project": {"name": "new", "domain_id": domain}}, expect=(400,))
    world.ask("PATCH", f"/projects/{project}", {"project": {"enabled": True}}, expect=(403,))


def test_with_a_domain_go_the_roles_that_its_groups_gave_to_users_of_others(world):
    domain, project, user = world.make("domain"), world.make("project"), world.user()
    group = world.make("group", domain_id=domain)
    world.ask("PUT", f"/groups/{group}/users/{user}")
    world.give("member", f"/projects/{project}", group=group)
    token = world.log_in(user, project={"id": project})
    world.ask("PATCH", f"/domains/{domain}", {"domain": {"enabled": False}})
    assert world.works(token)
    world.ask("DELETE", f"/domains/{domain}")
    assert not world.works(token)


@pytest.mark.parametrize("impersonation", [True, False])
@pytest.mark.parametrize("party", ["trustor", "trustee"])
def test_a_trust_ends_with_the_domain_of_either_party(world, party, impersonation):
    domains = {"trustor": world.make("domain"), "trustee": world.make("domain")}
    project, trustor, trustee = world.make("project"), world.user(domains["trustor"]), world.user(domains["trustee"])
    world.give("member", f"/projects/{project}", trustor)
    trust = world.ask("POST", "/OS-TRUST/trusts", {"trust": {
        "trustor_user_id": trustor, "trustee_user_id": trustee, "impersonation": impersonation, "project_id": project,
        "roles": [{"name": "member"}]}}, who=world.log_in(trustor, project={"id": project}))["trust"]["id"]
    token = world.log_in(trustee, **{"OS-TRUST:trust": {"id": trust}})
    assert world.works(token)
    world.ask("PATCH", f"/domains/{domains[party]}", {"domain": {"enabled": False}})
    assert not world.works(token)


def test_no_role_implies_the_administrators(world):
    """Who has it would rule the cloud, and the list of assignments would not say so."""
    world.ask("PUT", f"/roles/{world.roles['reader']}/implies/{world.roles['admin']}", expect=(403,))


def test_a_role_that_is_renamed_is_carried_by_no_token_under_its_old_name(world):
    role, project, user = world.make("role"), world.make("project"), world.user()
    world.ask("PUT", f"/projects/{project}/users/{user}/roles/{role}")
    token = world.log_in(user, project={"id": project})
    world.ask("PATCH", f"/roles/{role}", {"role": {"description": "d"}})
    assert world.works(token)
    world.ask("PATCH", f"/roles/{role}", {"role": {"name": "other"}})
    assert not world.works(token)
    assert world.works(world.log_in(user, project={"id": project}))
