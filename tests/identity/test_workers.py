"""Several processes of identity, each with a memory of its own of what is revoked."""

import time

import pytest

from common.periodic import wait_for
from common.service import periodics_for
from tests.identity.conftest import Caller


@pytest.fixture
def workers(tmp_path):
    """Two, on one database; what they do periodically is not begun."""
    first = Caller(tmp_path)
    second = Caller(tmp_path, empty=True)
    yield first, second
    for each in (first, second):
        each.close()


def ask(worker, method, path, body=None, *, token, expect=range(200, 300), **headers):
    response = worker.send(method, "/v3" + path, body, token=token, **headers)
    assert response.status_int in expect, response.text
    return response.json if response.body else {}


@pytest.fixture
def user(workers):
    """A member of a project: his id and that of the project, and the administrator's token."""
    first, admin = workers[0], workers[0].admin
    made = ask(first, "POST", "/users", {"user": {"name": "ann", "password": "pw"}}, token=admin)["user"]["id"]
    project = ask(first, "POST", "/projects", {"project": {"name": "p"}}, token=admin)["project"]["id"]
    role = next(r["id"] for r in ask(first, "GET", "/roles", token=admin)["roles"] if r["name"] == "member")
    grant = f"/projects/{project}/users/{made}/roles/{role}"
    ask(first, "PUT", grant, token=admin)
    return made, project, grant, admin


def works(worker, token: str) -> bool:
    return worker.send("GET", "/v3/auth/projects", token=token).status_int == 200


def test_each_worker_learns_what_others_revoked_and_passes_it_on(workers, user):
    first, second = workers
    token, admin = first.login("ann", "pw").headers["X-Subject-Token"], user[3]
    assert works(second, token)
    for work in periodics_for(second.service, 1):
        work.start(second.service.stop_event)
    ask(first, "DELETE", f"/users/{user[0]}/tokens", token=admin)
    wait_for(lambda: not works(second, token), 3, every_s=0.05, what="the other worker to know")
    told = ask(second, "GET", "/OS-REVOKE/events", token=admin)["events"]
    assert user[0] in [event.get("user_id") for event in told]


def test_a_worker_that_has_not_read_for_long_does_not_say_that_nothing_is_revoked(workers, user, monkeypatch):
    """Its connection to the database may be broken while others' is not."""
    second, admin = workers[1], user[3]
    assert ask(second, "GET", "/OS-REVOKE/events", token=admin)["keys"]
    silent_s = second.service.conf.service_auth.max_silence + 1
    monkeypatch.setattr(second.service.revocations, "read_at", time.monotonic() - silent_s)
    assert second.send("GET", "/v3/OS-REVOKE/events", token=admin).status_int == 503


def rescope(worker, token: str, project: str):
    return worker.send("POST", "/v3/auth/tokens", {"auth": {
        "identity": {"methods": ["token"], "token": {"id": token}}, "scope": {"project": {"id": project}}}})


def test_what_was_ended_elsewhere_a_moment_ago_is_not_made_into_another(workers, user):
    first, second = workers
    token = first.login("ann", "pw").headers["X-Subject-Token"]
    ask(first, "DELETE", "/auth/tokens", token=token, X_Subject_Token=token)
    assert rescope(second, token, user[1]).status_int == 404


ENDS = {
    "his tokens are ended": lambda first, user, token: ask(first, "DELETE", f"/users/{user[0]}/tokens", token=user[3]),
    "his password is set": lambda first, user, token: ask(first, "PATCH", f"/users/{user[0]}", {"user": {
        "password": "new"}}, token=user[3]),
    "he logs out everywhere": lambda first, user, token: ask(first, "DELETE", "/auth/tokens?chain", token=token,
                                                              X_Subject_Token=token)}


@pytest.mark.parametrize("end", ENDS)
def test_revoking_a_token_revokes_later_tokens_derived_from_it(workers, user, end, monkeypatch):
    first, second = workers
    token = first.login("ann", "pw").headers["X-Subject-Token"]
    ENDS[end](first, user, token)
    with monkeypatch.context() as patched:  # as long as the other's transaction is not committed, say
        patched.setattr(second.service.revocations, "run_once", lambda: None)
        made = rescope(second, token, user[1])
    assert made.status_int == 201
    second.service.revocations.run_once()
    assert not works(second, made.headers["X-Subject-Token"])


def test_a_role_that_is_given_again_is_had_by_a_token_made_of_an_older_one(workers, user):
    (first, _), (_, project, grant, admin) = workers, user
    token = first.login("ann", "pw").headers["X-Subject-Token"]
    old = rescope(first, token, project).headers["X-Subject-Token"]
    ask(first, "DELETE", grant, token=admin)
    time.sleep(0.01)
    ask(first, "PUT", grant, token=admin)
    assert not works(first, old) and works(first, rescope(first, token, project).headers["X-Subject-Token"])


def test_a_changed_password_of_the_trustor_does_not_revoke_logins_of_the_trustee(workers, user):
    (first, _), (trustor, project, _, admin) = workers, user
    trustee = ask(first, "POST", "/users", {"user": {"name": "ben", "password": "pw"}}, token=admin)["user"]["id"]
    own = rescope(first, first.login("ann", "pw").headers["X-Subject-Token"], project).headers["X-Subject-Token"]
    trust = ask(first, "POST", "/OS-TRUST/trusts", {"trust": {
        "trustor_user_id": trustor, "trustee_user_id": trustee, "impersonation": True, "project_id": project,
        "roles": [{"name": "member"}]}}, token=own)["trust"]["id"]
    token = first.login("ben", "pw").headers["X-Subject-Token"]
    ask(first, "PATCH", f"/users/{trustor}", {"user": {"password": "new"}}, token=admin)
    made = first.send("POST", "/v3/auth/tokens", {"auth": {
        "identity": {"methods": ["token"], "token": {"id": token}}, "scope": {"OS-TRUST:trust": {"id": trust}}}})
    assert made.status_int == 201 and works(first, made.headers["X-Subject-Token"])
