"""Rules about passwords and logins, in a cloud that has them all."""

import json

import pytest

from common.periodic import wait_for
from tests.conftest import FakeCloud

RULES = {"lockout_failure_attempts": 3, "lockout_duration": 2, "password_expires_days": 30, "unique_last_password_count": 3,
         "password_regex": r"^(?=.*\d).{4,}$", "password_regex_description": "four characters with a digit"}


@pytest.fixture(scope="module")
def strict(tmp_path_factory):
    settings = [f"identity.security_compliance.{k}={v}" for k, v in RULES.items()]
    made = FakeCloud(tmp_path_factory.mktemp("strict"), *settings).start()
    yield made
    made.stop()


@pytest.fixture
def user(strict):
    made = strict.client.call("identity", "POST", "/users", {"user": {"name": "sam", "password": "first1"}})["user"]
    yield made
    strict.client.call("identity", "DELETE", f"/users/{made['id']}")


def post(strict, path: str, body: dict) -> tuple[int, str]:
    """Without a token."""
    response = strict.client.pool.request("POST", strict.client.url("identity") + path, body=json.dumps(body),
                                          headers={"Content-Type": "application/json"})
    return response.status, response.data.decode()


def login(strict, password: str, name: str = "sam") -> tuple[int, str]:
    return post(strict, "/auth/tokens", {"auth": {"identity": {"methods": ["password"], "password": {
        "user": {"name": name, "domain": {"id": "default"}, "password": password}}}}})


def change(strict, user: dict, old: str, new: str) -> tuple[int, str]:
    return post(strict, f"/users/{user['id']}/password", {"user": {"original_password": old, "password": new}})


def test_wrong_passwords_lock_an_account_for_a_while(strict, user):
    assert [login(strict, "wrong")[0] for _ in range(2)] == [401, 401] and login(strict, "first1")[0] == 201
    assert [login(strict, "wrong")[0] for _ in range(3)] == [401, 401, 401]
    status, text = login(strict, "first1")
    assert status == 401 and text == login(strict, "wrong")[1] == login(strict, "x", "nobody")[1], "nothing is to be learnt"
    assert change(strict, user, "first1", "second2")[0] == 401, "there is no second door"
    # Right passwords do not lengthen it, however often they are tried.
    wait_for(lambda: change(strict, user, "first1", "second2")[0] == 204, 10, what="the lock to end")
    assert login(strict, "second2")[0] == 201


def test_who_is_excused_is_not_locked(strict, user):
    options = {"ignore_lockout_failure_attempts": True}
    changed = strict.client.call("identity", "PATCH", f"/users/{user['id']}", {"user": {"options": options}})["user"]
    assert changed["options"] == options
    assert [login(strict, "wrong")[0] for _ in range(4)] == [401] * 4 and login(strict, "first1")[0] == 201
    cleared = {"options": {"ignore_lockout_failure_attempts": None}}
    assert strict.client.call("identity", "PATCH", f"/users/{user['id']}", {"user": cleared})["user"]["options"] == {}
    with pytest.raises(RuntimeError, match=": 400 "):
        strict.client.call("identity", "PATCH", f"/users/{user['id']}", {"user": {"options": {"made_up": True}}})


def test_passwords_must_match_and_not_repeat(strict, user):
    with pytest.raises(RuntimeError, match="four characters with a digit"):
        strict.client.call("identity", "POST", "/users", {"user": {"name": "x", "password": "letters"}})
    assert change(strict, user, "first1", "abc")[0] == 400
    assert change(strict, user, "first1", "first1")[0] == 400
    assert change(strict, user, "wrong", "second2")[0] == 401
    assert change(strict, user, "first1", "second2")[0] == 204
    assert change(strict, user, "second2", "third3")[0] == 204
    for used in ("first1", "second2", "third3"):
        status, text = change(strict, user, "third3", used)
        assert status == 400 and "cannot be identical to a previous password" in text
    assert change(strict, user, "third3", "fourth4")[0] == 204
    assert change(strict, user, "fourth4", "first1")[0] == 204, "only the last three count"
    assert login(strict, "first1")[0] == 201
    strict.client.call("identity", "PATCH", f"/users/{user['id']}", {"user": {"options": {"lock_password": True}}})
    assert change(strict, user, "first1", "fifth5")[0] == 403


def test_passwords_expire(strict, user):
    assert user["password_expires_at"] > "2026" and "failed_logins" not in user and "password_created_at" not in user
    shown = json.loads(login(strict, "first1")[1])["token"]["user"]["password_expires_at"]
    assert shown == user["password_expires_at"]


def test_an_expired_password_lets_in_only_to_change_it(tmp_path):
    """By the option for first use, which makes every password that an administrator sets an expired one."""
    cloud = FakeCloud(tmp_path, "identity.identity.password_hash_rounds=4").start()
    try:
        made = cloud.client.call("identity", "POST", "/users", {"user": {"name": "sam", "password": "first"}})["user"]
        assert made["password_expires_at"] is None
    finally:
        cloud.stop()
    cloud = FakeCloud(tmp_path, "identity.security_compliance.change_password_upon_first_use=true")
    cloud.start()
    try:
        fresh = cloud.client.call("identity", "POST", "/users", {"user": {"name": "new", "password": "first"}})["user"]
        status, text = login(cloud, "first", "new")
        assert status == 401 and "expired and needs to be changed" in text
        assert "expired" not in login(cloud, "wrong", "new")[1]
        assert change(cloud, fresh, "first", "second")[0] == 204 and login(cloud, "second", "new")[0] == 201
        assert login(cloud, "first")[0] == 201, "a password of before the rule"
        excused = {"name": "program", "password": "p", "options": {"ignore_change_password_upon_first_use": True}}
        cloud.client.call("identity", "POST", "/users", {"user": excused})
        assert login(cloud, "p", "program")[0] == 201
    finally:
        cloud.stop()
