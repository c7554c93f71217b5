"""What is no value of its kind is the client's fault, on the doors that are open to everybody first; and no login tells why."""

import pytest

from tests.identity.conftest import Caller
from tests.identity.derivations import Lender

NO_NAME = ([], {}, ["x"], 5, True, {"id": []}, {"id": None, "name": {}}, {"name": 5}, "\ud800", {"id": "\ud800"},
           {"name": "\x00"})


@pytest.mark.parametrize("at", ["domain", "name", "id", "password"])
def test_a_login_with_values_of_other_kinds(identity, at):
    for value in NO_NAME:
        for method, secret in (("password", "password"), ("totp", "passcode")):
            user = {"name": "admin", "domain": {"id": "default"}, secret: "x"}
            user[secret if at == "password" else at] = value
            for scope in (None, {"project": {"name": "admin", "domain": value}}, {"project": {"id": value}}, {"domain": value}):
                auth = {"identity": {"methods": [method], method: {"user": user}}, **({"scope": scope} if scope else {})}
                status = identity.send("POST", "/v3/auth/tokens", {"auth": auth}).status_int
                assert status in (400, 401), (at, value, method, scope, status)
        given = {"passwordCredentials": {"username": value, "password": value}, "tenantName": value}
        assert identity.send("POST", "/v2.0/tokens", {"auth": given}).status_int in (400, 401), value


def test_times_at_the_ends_of_the_calendar(identity):
    of = Lender(identity)
    path = f"/v3/users/{of.ann}/application_credentials"

    def makes(at: str) -> set[int]:
        trust = {"trustor_user_id": of.ann, "trustee_user_id": of.bob, "impersonation": True, "expires_at": at}
        return {identity.send("POST", "/v3/OS-TRUST/trusts", {"trust": trust}, token=of.own).status_int,
                identity.send("POST", path, {"application_credential": {"name": at, "expires_at": at}}, token=of.own).status_int}
    for wrong in ("9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59", "10000-01-01", "never", "",
                  "\u0662\u0660\u0669\u0660-01-01"):
        assert makes(wrong) == {400}, wrong
    for right in ("9999-12-31T23:59:59.999999Z", "2090-01-01T00:00:00+01:00", "2090-01-01T00:00:00"):
        assert makes(right) == {201}, right
    for url in ("/v3/OS-TRUST/trusts", f"/v3/OS-TRUST/trusts?trustor_user_id={of.ann}"):
        assert identity.send("GET", url, token=of.admin).status_int == 200


def test_projects_are_nested_as_deep_as_the_configuration_says(identity):
    """Without an end a tree would be too deep to be shown."""
    parent, statuses = "default", []
    for n in range(7):
        body = {"project": {"name": f"level{n}", "domain_id": "default", "parent_id": parent}}
        answer = identity.send("POST", "/v3/projects", body, token=identity.admin)
        statuses.append(answer.status_int)
        parent = answer.json["project"]["id"] if answer.status_int == 201 else parent
    assert statuses == [201] * 5 + [403] * 2


@pytest.mark.parametrize("header", ["OAuth a", "OAuth", "Bearer x", "OAuth oauth_nonce=\"%ff\",a", "OAuth =", ""])
def test_a_consumers_header_that_cannot_be_read(identity, header):
    for path in ("/v3/auth/tokens", "/v3/OS-OAUTH1/request_token", "/v3/OS-OAUTH1/access_token"):
        answer = identity.send("POST", path, {"auth": {"identity": {"methods": ["oauth1"], "oauth1": {}}}}, Authorization=header,
                               Requested_Project_Id="x")
        assert answer.status_int in (400, 401), path


@pytest.mark.parametrize("blob", ['{"a":' * 5000 + "1" + "}" * 5000, "[]", "5", "{", '{"access": "\\ud800", "secret": "x"}',
                                  '{"access": NaN, "secret": "x"}'])
def test_an_ec2_key_that_is_none(identity, blob):
    given = {"credential": {"type": "ec2", "project_id": "p", "blob": blob}}
    assert identity.send("POST", "/v3/credentials", given, token=identity.admin).status_int == 400


def test_a_filter_of_another_noun_is_none(identity):
    for path in ("mappings", "identity_providers", "service_providers"):
        assert identity.send("GET", f"/v3/OS-FEDERATION/{path}?enabled=true&name=x&id=y", token=identity.admin).status_int == 200


def test_no_failed_login_reveals_the_reason(tmp_path):
    """Nobody, a wrong password, and the right one of who is locked, disabled, or in a disabled domain: one answer."""
    caller = Caller(tmp_path, {"security_compliance.lockout_failure_attempts": 2})
    token = caller.admin

    def made(noun: str, **values) -> str:
        return caller.send("POST", f"/v3/{noun}s", {noun: values}, token=token).json[noun]["id"]
    away = made("domain", name="away")
    for name, more in (("open", {}), ("locked", {}), ("disabled", {"enabled": False}), ("far", {"domain_id": away})):
        made("user", name=name, password="right", **more)
    caller.send("PATCH", f"/v3/domains/{away}", {"domain": {"enabled": False}}, token=token)

    def login(name: str, password: str, domain: str = "default") -> tuple:
        answer = caller.send("POST", "/v3/auth/tokens", {"auth": {"identity": {"methods": ["password"], "password": {"user": {
            "name": name, "domain": {"id": domain}, "password": password}}}}})
        return answer.status_int, answer.text, sorted(k for k, _ in answer.headerlist)
    assert login("open", "right")[0] == 201
    answers = {str(login(*who)) for who in (
        ("nobody", "right"), ("open", "wrong"), ("locked", "wrong"), ("locked", "wrong"), ("locked", "right"),
        ("disabled", "right"), ("disabled", "wrong"), ("far", "right", away), ("far", "wrong", away),
        ("open", "right", "nowhere"))}
    assert len(answers) == 1 and "401" in next(iter(answers))
    caller.close()
