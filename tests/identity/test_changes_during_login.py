"""What ends while a login is under way: a secret takes a quarter of a second to check, and much may happen in that."""

import pytest

from tests.identity.conftest import Caller

SECRET = "the-secret-of-a-program"


@pytest.fixture
def world(identity):
    """A member of a project, with an application credential; and ``during(change)``: at the next secret that is checked, and
    before its login goes on, ``change`` is made."""
    admin = identity.admin

    class World:
        def ask(self, method, path, body=None, token=admin):
            response = identity.send(method, "/v3" + path, body, token=token)
            assert response.status_int < 300, response.text
            return response.json if response.body else None

        def during(self, change) -> None:
            checks = identity.service.passwords.matches

            def matches(given, hashed):
                identity.service.passwords.matches = checks
                found = checks(given, hashed)
                change()
                return found
            identity.service.passwords.matches = matches

        def works(self, response) -> bool:
            """Whether a login gave a token, and the token is good for something."""
            token = response.headers.get("X-Subject-Token")
            return token is not None and identity.send("GET", "/v3/auth/projects", token=token).status_int == 200

        def log_in(self):
            return identity.login("ann", "pw", {"project": {"id": self.project}})

        def log_in_as_program(self):
            return identity.send("POST", "/v3/auth/tokens", {"auth": {"identity": {"methods": ["application_credential"],
                                 "application_credential": {"id": self.credential, "secret": SECRET}}}})
    made = World()
    made.user = made.ask("POST", "/users", {"user": {"name": "ann", "password": "pw"}})["user"]["id"]
    made.project = made.ask("POST", "/projects", {"project": {"name": "p"}})["project"]["id"]
    member = next(r["id"] for r in made.ask("GET", "/roles")["roles"] if r["name"] == "member")
    made.grant = f"/projects/{made.project}/users/{made.user}/roles/{member}"
    made.ask("PUT", made.grant)
    own = made.log_in().headers["X-Subject-Token"]
    made.credential = made.ask("POST", f"/users/{made.user}/application_credentials", {"application_credential": {
        "name": "program", "secret": SECRET}}, own)["application_credential"]["id"]
    made.own = own
    return made


CHANGES = {
    "nothing": lambda w: None,
    "the user is disabled": lambda w: w.ask("PATCH", f"/users/{w.user}", {"user": {"enabled": False}}),
    "the user is deleted": lambda w: w.ask("DELETE", f"/users/{w.user}"),
    "the password is changed": lambda w: w.ask("PATCH", f"/users/{w.user}", {"user": {"password": "new"}}),
    "the role is taken away": lambda w: w.ask("DELETE", w.grant),
    "the project is disabled": lambda w: w.ask("PATCH", f"/projects/{w.project}", {"project": {"enabled": False}})}


@pytest.mark.parametrize("change", CHANGES)
def test_a_login_by_password_respects_concurrent_revocations(world, change):
    world.during(lambda: CHANGES[change](world))
    assert world.works(world.log_in()) == (change == "nothing")


@pytest.mark.parametrize("change", [*CHANGES, "the credential is deleted"])
def test_a_login_by_application_credential_respects_concurrent_revocations(world, change):
    path = f"/users/{world.user}/application_credentials/{world.credential}"
    made = CHANGES.get(change, lambda w: w.ask("DELETE", path, token=world.own))
    world.during(lambda: made(world))
    # A credential does not depend on its user's password.
    assert world.works(world.log_in_as_program()) == (change in ("nothing", "the password is changed"))


def test_concurrent_guesses_are_limited_like_successive_ones(tmp_path):
    """The right password is of no use either to who guessed it after the account was locked, however early he had asked."""
    identity = Caller(tmp_path, {"security_compliance.lockout_failure_attempts": 2,
                                 "security_compliance.lockout_duration": 60})
    try:
        identity.send("POST", "/v3/users", {"user": {"name": "ann", "password": "pw"}}, token=identity.admin)
        checks, waiting = identity.service.passwords.matches, ["wrong-1", "wrong-2"]

        def matches(given, hashed):
            if waiting:
                assert identity.login("ann", waiting.pop()).status_int == 401
            return checks(given, hashed)
        identity.service.passwords.matches = matches
        assert identity.login("ann", "pw").status_int == 401
    finally:
        identity.close()


def test_who_knows_the_old_password_does_not_take_back_the_one_that_an_administrator_set_meanwhile(world, identity):
    hashes = identity.service.passwords.hash

    def hash(password):
        identity.service.passwords.hash = hashes
        world.ask("PATCH", f"/users/{world.user}", {"user": {"password": "of-the-administrator"}})
        return hashes(password)
    identity.service.passwords.hash = hash
    given = {"user": {"original_password": "pw", "password": "of-the-thief"}}
    assert identity.send("POST", f"/v3/users/{world.user}/password", given).status_int == 401
    assert identity.login("ann", "of-the-thief").status_int == 401
    assert identity.login("ann", "of-the-administrator").status_int == 201


def test_who_is_shut_out_meanwhile_leaves_no_credential_behind(world, identity):
    hashes = identity.service.passwords.hash

    def hash(secret):
        identity.service.passwords.hash = hashes
        world.ask("DELETE", f"/users/{world.user}/tokens")
        return hashes(secret)
    identity.service.passwords.hash = hash
    path = f"/v3/users/{world.user}/application_credentials"
    given = {"application_credential": {"name": "of-the-thief"}}
    assert identity.send("POST", path, given, token=world.own).status_int == 401
    assert [c["name"] for c in world.ask("GET", path.removeprefix("/v3"))["application_credentials"]] == ["program"]
