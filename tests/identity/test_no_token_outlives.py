"""Random orders of grant, revoke, disable, delete, delegate and login: no token works that should not.

A model keeps, for each token, what it was made of. Whatever takes a part of that away must end the token; and who has
what a login asks for must get one, and nobody else.
"""

import itertools

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from common import errors
from tests.identity.conftest import Caller

USERS, PROJECTS, ROLES = st.sampled_from(["ann", "ben"]), st.sampled_from(["red", "blue"]), st.sampled_from(["member", "reader"])
WHICH = st.integers(min_value=0, max_value=1 << 16)
_serial = itertools.count()


class Tokens(RuleBasedStateMachine):
    identity: Caller

    def __init__(self):
        super().__init__()
        self.serial = next(_serial)
        self.token = self.identity.admin
        self.roles = {r["name"]: r["id"] for r in self.ask("GET", "/roles")["roles"]}
        self.users = {n: self.new_user(n) for n in ("ann", "ben")}
        self.projects = {n: self.new_project(n) for n in ("red", "blue")}
        self.group = self.ask("POST", "/groups", {"group": {"name": f"g{self.serial}"}})["group"]["id"]
        self.members: set[str] = set()
        self.grants: set[tuple] = set()  # (user's name or "group", project's name, role)
        self.issued: list[dict] = []
        self.credentials: list[dict] = []
        # A state in which each thing that is taken away matters to some token.
        self.join_or_leave("ann")
        for given in (("ann", "red", "member"), ("ben", "red", "reader"), ("group", "blue", "member")):
            self.grant(*given)
        for user, project in (("ann", "red"), ("ben", "red"), ("ann", "blue")):
            self.log_in(user, project)
        self.make_application_credential("ann", "red")
        self.log_in_by_credential(0)

    # What is asked of identity -------------------------------------------

    def ask(self, method, path, body=None, expect=range(200, 300), token=None):
        response = self.identity.send(method, "/v3" + path, body, token=token or self.token)
        assert response.status_int in expect, response.text
        return response.json if response.body else {}

    def new_user(self, name: str) -> dict:
        full = f"{name}-{next(_serial)}"
        made = self.ask("POST", "/users", {"user": {"name": full, "password": "pw"}})["user"]
        return {"id": made["id"], "name": full, "password": "pw", "enabled": True}

    def new_project(self, name: str) -> dict:
        made = self.ask("POST", "/projects", {"project": {"name": f"{name}-{next(_serial)}"}})["project"]
        return {"id": made["id"], "enabled": True}

    # The model ------------------------------------------------------------

    def has(self, user: str, project: str) -> set[str]:
        """The roles of a user on a project; a member is a reader too."""
        own = {r for who, p, r in self.grants if p == project and (who == user or who == "group" and user in self.members)}
        return own | ({"reader"} if "member" in own else set())

    def end(self, lost) -> None:
        for each in self.issued:
            if lost(each):
                each["dead"] = True

    def end_what_lost_a_role(self) -> None:
        self.end(lambda t: t["project"] and not t["roles"] <= self.has(t["giver"], t["project"]))

    def keep(self, response, expected: bool, **token) -> None:
        assert (response.status_int == 201) == expected, (response.status_int, token)
        if expected:
            named = {r["name"] for r in response.json["token"].get("roles", [])}
            assert token["project"] is None or named == token["roles"]
            self.issued.append({"dead": False, "text": response.headers["X-Subject-Token"], "credential": None, **token})

    def can_log_in(self, user: str, project: str | None) -> bool:
        open_ = project is None or self.projects[project]["enabled"] and bool(self.has(user, project))
        return self.users[user]["enabled"] and open_

    # Logins ---------------------------------------------------------------

    @rule(user=USERS, project=st.one_of(st.none(), PROJECTS))
    def log_in(self, user, project):
        scope = {"project": {"id": self.projects[project]["id"]}} if project else None
        response = self.identity.login(self.users[user]["name"], self.users[user]["password"], scope)
        self.keep(response, self.can_log_in(user, project), user=user, giver=user, project=project,
                  roles=self.has(user, project) if project else set())

    @precondition(lambda self: self.issued)
    @rule(which=WHICH, project=PROJECTS)
    def rescope(self, which, project):
        parent = self.issued[which % len(self.issued)]
        auth = {"identity": {"methods": ["token"], "token": {"id": parent["text"]}},
                "scope": {"project": {"id": self.projects[project]["id"]}}}
        response = self.identity.send("POST", "/v3/auth/tokens", {"auth": auth})
        if parent["dead"] or parent["credential"]:
            assert response.status_int in (403, 404)
        elif response.status_int == 201 or self.can_log_in(parent["user"], project) and self.works(parent["text"]):
            self.keep(response, self.can_log_in(parent["user"], project), user=parent["user"], giver=parent["user"],
                      project=project, roles=self.has(parent["user"], project))

    @rule(user=USERS, project=PROJECTS)
    def make_application_credential(self, user, project):
        if not self.can_log_in(user, project):
            return
        own = self.identity.login(self.users[user]["name"], self.users[user]["password"],
                                  {"project": {"id": self.projects[project]["id"]}}).headers["X-Subject-Token"]
        path = f"/users/{self.users[user]['id']}/application_credentials"
        given = {"application_credential": {"name": f"c{next(_serial)}"}}
        made = self.ask("POST", path, given, token=own)["application_credential"]
        self.credentials.append({"id": made["id"], "secret": made["secret"], "path": f"{path}/{made['id']}", "user": user,
                                 "project": project, "roles": self.has(user, project), "gone": False})

    @precondition(lambda self: self.credentials)
    @rule(which=WHICH)
    def log_in_by_credential(self, which):
        made = self.credentials[which % len(self.credentials)]
        auth = {"identity": {"methods": ["application_credential"],
                             "application_credential": {"id": made["id"], "secret": made["secret"]}}}
        right = not made["gone"] and self.can_log_in(made["user"], made["project"]) and \
            made["roles"] <= self.has(made["user"], made["project"])
        self.keep(self.identity.send("POST", "/v3/auth/tokens", {"auth": auth}), right, user=made["user"], giver=made["user"],
                  project=made["project"], roles=made["roles"], credential=made["id"])

    @precondition(lambda self: self.credentials)
    @rule(which=WHICH)
    def delete_credential(self, which):
        made = self.credentials[which % len(self.credentials)]
        if not made["gone"]:
            self.ask("DELETE", made["path"])
            made["gone"] = True
            self.end(lambda t: t["credential"] == made["id"])

    # What gives and takes -------------------------------------------------

    def path_of(self, who: str, project: str, role: str) -> str:
        holder = f"groups/{self.group}" if who == "group" else f"users/{self.users[who]['id']}"
        return f"/projects/{self.projects[project]['id']}/{holder}/roles/{self.roles[role]}"

    @rule(who=st.one_of(USERS, st.just("group")), project=PROJECTS, role=ROLES)
    def grant(self, who, project, role):
        self.ask("PUT", self.path_of(who, project, role))
        self.grants.add((who, project, role))

    @precondition(lambda self: self.grants)
    @rule(which=WHICH)
    def revoke_grant(self, which):
        taken = sorted(self.grants)[which % len(self.grants)]
        self.ask("DELETE", self.path_of(*taken))
        self.grants.discard(taken)
        self.end_what_lost_a_role()

    @rule(user=USERS)
    def join_or_leave(self, user):
        path = f"/groups/{self.group}/users/{self.users[user]['id']}"
        self.ask("DELETE" if user in self.members else "PUT", path)
        self.members ^= {user}
        self.end_what_lost_a_role()

    @rule(user=USERS)
    def switch_user(self, user):
        it = self.users[user]
        it["enabled"] = not it["enabled"]
        self.ask("PATCH", f"/users/{it['id']}", {"user": {"enabled": it["enabled"]}})
        if not it["enabled"]:
            self.end(lambda t: t["user"] == user)

    @rule(project=PROJECTS)
    def switch_project(self, project):
        it = self.projects[project]
        it["enabled"] = not it["enabled"]
        self.ask("PATCH", f"/projects/{it['id']}", {"project": {"enabled": it["enabled"]}})
        if not it["enabled"]:
            self.end(lambda t: t["project"] == project)

    @rule(user=USERS, by_admin=st.booleans())
    def change_password(self, user, by_admin):
        it, new = self.users[user], f"pw{next(_serial)}"
        if by_admin:
            self.ask("PATCH", f"/users/{it['id']}", {"user": {"password": new}})
        else:
            self.ask("POST", f"/users/{it['id']}/password", {"user": {"password": new, "original_password": it["password"]}},
                     expect=(204,) if it["enabled"] else (401,))
            if not it["enabled"]:
                return
        it["password"] = new
        self.end(lambda t: t["user"] == user)

    @rule(user=USERS)
    def replace_user(self, user):
        self.ask("DELETE", f"/users/{self.users[user]['id']}")
        self.end(lambda t: t["user"] == user)
        self.grants = {g for g in self.grants if g[0] != user}
        self.members.discard(user)
        for made in self.credentials:
            made["gone"] = made["gone"] or made["user"] == user
        self.users[user] = self.new_user(user)

    @rule(project=PROJECTS)
    def replace_project(self, project):
        self.ask("DELETE", f"/projects/{self.projects[project]['id']}")
        self.end(lambda t: t["project"] == project)
        self.grants = {g for g in self.grants if g[1] != project}
        for made in self.credentials:
            made["gone"] = made["gone"] or made["project"] == project
        self.projects[project] = self.new_project(project)

    @precondition(lambda self: self.issued)
    @rule(which=WHICH)
    def revoke_token(self, which):
        it = self.issued[which % len(self.issued)]
        response = self.identity.send("DELETE", "/v3/auth/tokens", token=self.token, X_Subject_Token=it["text"])
        assert response.status_int in ((404,) if it["dead"] else (204, 404))
        it["dead"] = True

    # What must hold -------------------------------------------------------

    def works(self, text: str) -> bool:
        try:
            self.identity.service.verifier.check(text)
        except errors.Unauthorized:
            return False
        return True

    @invariant()
    def no_token_outlives_what_it_was_made_of(self):
        for each in getattr(self, "issued", []):
            assert not (each["dead"] and self.works(each["text"])), {k: v for k, v in each.items() if k != "text"}


@pytest.mark.parametrize("examples", [60])
def test_no_token_outlives_what_it_was_made_of(identity, examples):
    Tokens.identity = identity
    run_state_machine_as_test(Tokens, settings=settings(
        max_examples=examples, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck), database=None))
