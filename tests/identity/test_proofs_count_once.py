"""Signed requests and receipts count once, at whichever worker; what was made of an EC2 key ends with it."""

import base64
import json
import threading
import time

import botocore.credentials
import pytest
import sqlalchemy as sa
from oauthlib import oauth1

from common import errors
from identity import totp
from identity.db import models, used_proofs
from identity.service import IdentityApi
from identity.services import credentials
from tests.identity import test_signatures
from tests.identity.conftest import Caller
from tests.identity.derivations import HOST, RULES, Lender, s3_v2


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    caller = Caller(tmp_path_factory.mktemp("proofs"), rules=RULES)
    yield Lender(caller)
    caller.close()


@pytest.fixture
def lender(built):
    """Whose login and keys no other test has ended."""
    built.admin = built.identity.admin
    built.own = built.login("ann", built.red)
    built.keys = [built.key(p) for p in (built.red, built.blue)]
    return built


def post(lender, body: dict, door: str = "s3tokens", key: str = "credentials"):
    return lender.identity.send("POST", f"/v3/{door}", {key: body}, token=lender.clerk_token)


def test_a_recorded_s3_request_gives_no_second_token(lender):
    request = s3_v2(lender.keys[0])
    assert [post(lender, request).status_int for _ in range(3)] == [200, 401, 401]
    assert post(lender, s3_v2(lender.keys[0])).status_int == 200, "another request of the same user's"
    assert post(lender, {**s3_v2(lender.keys[0]), "access": lender.keys[1]["access"]}).status_int == 401
    assert post(lender, s3_v2(lender.keys[0], at=1e9)).status_int == 401, "signed in 2001"


def test_a_recorded_ec2_request_gives_no_second_token(lender, monkeypatch):
    key = lender.keys[0]
    monkeypatch.setattr(test_signatures, "KEYS", botocore.credentials.Credentials(key["access"], key["secret"]))
    for make in (test_signatures.signed_v4, test_signatures.signed_v4_query, test_signatures.signed_v2):
        request = {**make(), "access": key["access"]}
        for name in ("credentials", "ec2Credentials"):
            assert post(lender, {**request, "signature": "é"}, "ec2tokens", name).status_int == 401
        assert [post(lender, request, "ec2tokens", n).status_int for n in ("credentials", "ec2Credentials", "credentials")] == [
            200, 401, 401], make


def test_workers_that_are_shown_one_request_at_once(lender):
    """Each worker has a process of its own in a cloud: here each has a service of its own over the same database."""
    others = [IdentityApi.load(lender.identity.service.conf.state_path, {"identity.password_hash_rounds": 4}) for _ in range(4)]
    request, found = s3_v2(lender.keys[0]), []

    def show(service):
        def send():
            found.append(lender.identity.send("POST", "/v3/s3tokens", {"credentials": request}, token=lender.clerk_token,
                                              app=app).status_int)
        app = service.wsgi_app("identity")
        return threading.Thread(target=send)
    threads = [show(s) for s in others]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for service in others:
        service.db.engine.dispose()
    assert sorted(found) == [200, 401, 401, 401]


def test_a_trust_for_one_use_is_used_once(lender):
    """By whoever comes first to whichever worker."""
    trust = lender.make_trust(lender.red, "reader", remaining_uses=1)
    others = [IdentityApi.load(lender.identity.service.conf.state_path, {"identity.password_hash_rounds": 4}) for _ in range(4)]
    shown, found = {"methods": ["token"], "token": {"id": lender.login("bob", None)}}, []

    def use(app) -> None:
        auth = {"identity": shown, "scope": {"OS-TRUST:trust": {"id": trust}}}
        found.append(lender.identity.send("POST", "/v3/auth/tokens", {"auth": auth}, app=app).status_int)
    threads = [threading.Thread(target=use, args=(s.wsgi_app("identity"),)) for s in others]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for service in others:
        service.db.engine.dispose()
    assert sorted(found) == [201, 401, 401, 401]


def test_a_key_that_was_made_for_less_is_not_taken_for_the_users_own(lender):
    for origin in ("trust_id", "app_cred_id", "access_token_id"):
        key = {"access": origin, "secret": "s"}
        body = {"type": "ec2", "project_id": lender.red, "blob": json.dumps({**key, origin: lender.trust})}
        id = lender.ask("POST", "/credentials", {"credential": body}, lender.own)["credential"]["id"]
        assert lender.by_key(key) is None
        lender.ask("PATCH", f"/credentials/{id}", {"credential": {"blob": json.dumps(key)}}, lender.own, expect=(400,))
        assert lender.by_key(key) is None


def test_a_recorded_request_of_a_consumer_gives_no_second_token(lender):
    keys = lender.access(lender.red, "reader", lender.own)
    client = oauth1.Client(lender.consumer["id"], client_secret=lender.consumer["secret"], **keys)
    sent = client.sign(HOST + "/v3/auth/tokens", http_method="POST")[1]
    body = {"auth": {"identity": {"methods": ["oauth1"], "oauth1": {}}}}
    assert [lender.identity.send("POST", "/v3/auth/tokens", body, **sent).status_int for _ in range(3)] == [201, 401, 401]


def test_old_proofs_are_dropped(identity):
    with identity.service.db.writer() as connection:
        used_proofs.use(connection, "k", "old", time.time() - 1)
        used_proofs.use(connection, "k", "one", time.time() + 60)
        used_proofs.use(connection, "other", "one", time.time() + 60)
        assert connection.execute(sa.select(sa.func.count()).select_from(models.used_proofs)).scalar() == 2
    with pytest.raises(errors.Unauthorized), identity.service.db.writer() as connection:
        used_proofs.use(connection, "k", "one", time.time() + 60)


def ends(lender, key: dict, id: str) -> dict:
    """{what ends a key: (how, what makes it right again)}"""
    ask, own, ann = lender.ask, lender.own, lender.ann
    user, project, roles = f"/users/{ann}", f"/projects/{lender.red}", [lender.roles[n] for n in ("member", "manager")]

    def patch(path: str, noun: str, token=None, **values):
        return lambda: ask("PATCH", path, {noun: values}, token)

    def each_role(method: str):
        return lambda: [ask(method, f"{project}/users/{ann}/roles/{role}") for role in roles]
    secret = json.dumps({**key, "secret": "new"})
    return {"key deleted": (lambda: ask("DELETE", f"{user}/credentials/OS-EC2/{key['access']}", token=own), None),
            "credential deleted": (lambda: ask("DELETE", f"/credentials/{id}", token=own), None),
            "secret changed": (patch(f"/credentials/{id}", "credential", own, blob=secret), None),
            "roles taken": (each_role("DELETE"), each_role("PUT")),
            "project disabled": (patch(project, "project", enabled=False), patch(project, "project", enabled=True)),
            "user disabled": (patch(user, "user", enabled=False), patch(user, "user", enabled=True))}


def test_deleting_a_key_revokes_its_tokens(lender):
    check = lender.identity.service.verifier.check
    for what in ends(lender, lender.keys[0], ""):
        lender.own = lender.login("ann", lender.red)
        key, other = lender.key(lender.red), lender.key(lender.blue)
        stored = lender.identity.send("GET", "/v3/credentials", token=lender.own).json["credentials"]
        end, mend = ends(lender, key, next(c["id"] for c in stored if key["access"] in c["blob"]))[what]
        token, of_other = lender.by_key(key), lender.by_key(other)
        check(token)
        end()
        with pytest.raises(errors.Unauthorized):
            check(token)
        assert lender.by_key(key) is None, what
        if what != "user disabled":
            check(of_other)
        if mend:
            mend()


def test_deleting_a_trust_revokes_its_tokens(lender):
    """With the trust, with either of the two who are bound by it, with the project, and with a role of the trustor's."""
    ask, check = lender.ask, lender.identity.service.verifier.check
    project, grant = f"/projects/{lender.red}", f"/projects/{lender.red}/users/{lender.ann}/roles/"

    def switch(path: str, noun: str, on: bool):
        return lambda: ask("PATCH", path, {noun: {"enabled": on}})
    ends = {"the trust": (lambda: ask("DELETE", f"/OS-TRUST/trusts/{trust}", token=lender.own), lambda: None),
            "the project": (switch(project, "project", False), switch(project, "project", True)),
            "the roles": (lambda: [ask("DELETE", grant + lender.roles[r]) for r in ("member", "manager")],
                          lambda: [ask("PUT", grant + lender.roles[r]) for r in ("member", "manager")]),
            **{who: (switch(f"/users/{id}", "user", False), switch(f"/users/{id}", "user", True))
               for who, id in (("the trustor", lender.ann), ("the trustee", lender.bob))}}
    for impersonation in (True, False):
        for what, (end, mend) in ends.items():
            lender.own = lender.login("ann", lender.red)
            trust = lender.make_trust(lender.red, "reader", impersonation=impersonation)
            token = lender.by_trust(trust)
            check(token)
            end()
            with pytest.raises(errors.Unauthorized):
                check(token)
            if what != "the trustee":
                assert lender.by_trust(trust) is None, what
            mend()


def test_a_key_may_be_moved_to_another_project_of_its_users(lender):
    key, check = lender.keys[0], lender.identity.service.verifier.check
    token, id = lender.by_key(key), credentials.digest(key["access"])
    lender.ask("PATCH", f"/credentials/{id}", {"credential": {"project_id": lender.blue}}, lender.own)
    with pytest.raises(errors.Unauthorized):
        check(token)
    assert check(lender.by_key(key)).project_id == lender.blue


def test_owner_and_type_of_a_credential_cannot_be_changed(lender):
    """A key for a project is for who has a role there, and is not made into somebody else's."""
    far = lender.ask("POST", "/projects", {"project": {"name": "far"}})["project"]["id"]
    path, own = f"/users/{lender.ann}/credentials/OS-EC2", lender.own
    lender.ask("POST", path, {"tenant_id": far}, own, expect=(403,))
    blob = {"type": "ec2", "blob": json.dumps({"access": "a", "secret": "s"})}
    for wrong in ({"project_id": far}, {"project_id": lender.red, "user_id": lender.bob}):
        lender.ask("POST", "/credentials", {"credential": {**blob, **wrong}}, own, expect=(403,))
    made = lender.ask("POST", "/credentials", {"credential": {**blob, "project_id": lender.red}}, own)["credential"]
    for change in ({"project_id": far}, {"user_id": lender.bob}, {"project_id": None}, {"type": "totp"}):
        lender.ask("PATCH", f"/credentials/{made['id']}", {"credential": change}, own, expect=(400, 403))
    assert lender.ask("GET", f"/credentials/{made['id']}", token=own)["credential"] == made


def test_a_receipt_is_good_for_one_login(lender):
    secret = base64.b32encode(b"0" * 20).decode()
    lender.ask("POST", "/credentials", {"credential": {"type": "totp", "blob": secret, "user_id": lender.bob}})
    lender.ask("PATCH", f"/users/{lender.bob}", {"user": {"options": {
        "multi_factor_auth_enabled": True, "multi_factor_auth_rules": [["password", "totp"]]}}})
    first = lender.identity.login("bob", "pw")
    receipt = first.headers["Openstack-Auth-Receipt"]

    def second(step: int, scope=None) -> int:
        code = totp.passcode(secret, int(time.time()) // totp.STEP_S - step)
        return lender.identity.send("POST", "/v3/auth/tokens", {"auth": {"identity": {
            "methods": ["totp"], "totp": {"user": {"id": lender.bob, "passcode": code}}}, **({"scope": scope} if scope else {})}},
            Openstack_Auth_Receipt=receipt).status_int
    with lender.identity.service.db.writer() as connection:
        connection.execute(sa.update(models.credentials).values(last_step=0))
    assert second(1, {"project": {"id": lender.red}}) == 401, "he has no role there; the receipt is not used up by it"
    assert second(0) == 201
    with lender.identity.service.db.writer() as connection:
        connection.execute(sa.update(models.credentials).values(last_step=0))  # so that only the receipt is in question
    assert second(0) == 401
