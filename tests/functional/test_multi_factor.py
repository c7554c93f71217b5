"""One-time passwords, and users whose rules ask for more than one method."""

import base64
import json
import time

import pytest

from identity import totp
from tests.functional.test_application_credentials import owner  # noqa: F401
from tests.functional.test_stories import refused

SECRET = base64.b32encode(b"twenty bytes of key!").decode()


def test_passcodes_are_those_of_the_rfc():
    """RFC 6238, appendix B (SHA-1), the last six of its eight digits."""
    key = base64.b32encode(b"12345678901234567890").decode()
    for at, code in ((59, "287082"), (1111111109, "081804"), (1234567890, "005924"), (20000000000, "353130")):
        assert totp.passcode(key, at // 30) == code
    with pytest.raises(ValueError):
        totp.passcode("not base 32!", 0)


def login(cloud, receipt: str = "", **methods) -> tuple[int, str, dict]:
    """(status, receipt, body)"""
    identity = {"methods": list(methods), **{m: {"user": {"name": "robin", "domain": {"id": "default"}, **proof}}
                                             for m, proof in methods.items()}}
    response = cloud.client.pool.request(
        "POST", cloud.client.url("identity") + "/auth/tokens", body=json.dumps({"auth": {"identity": identity}}),
        headers={"Content-Type": "application/json", **({"Openstack-Auth-Receipt": receipt} if receipt else {})})
    return response.status, response.headers.get("Openstack-Auth-Receipt", ""), json.loads(response.data)


def code(ago: int = 0) -> dict:
    return {"passcode": totp.passcode(SECRET, int(time.time()) // 30 - ago)}


@pytest.fixture
def key(owner):  # noqa: F811
    path = "/credentials"
    refused(400, owner, "identity", "POST", path, {"credential": {"type": "totp", "blob": "not base 32!"}})
    made = owner.call("identity", "POST", path, {"credential": {"type": "totp", "blob": SECRET}})["credential"]["id"]
    refused(400, owner, "identity", "PATCH", f"{path}/{made}", {"credential": {"blob": "!"}})
    return made


def test_a_passcode_counts_once(cloud, owner, key):  # noqa: F811
    assert login(cloud, totp={"passcode": "000000"})[0] == 401
    # The one before is taken too; after it the present one, and then neither again.
    while time.time() % 30 > 25:
        time.sleep(0.2)
    first, second = code(ago=1), code()
    assert [login(cloud, totp=c)[0] for c in (first, first, second, second, first)] == [201, 401, 201, 401, 401]


def test_rules_ask_for_two_methods(cloud, owner, key):  # noqa: F811
    def options(**given):
        return cloud.client.call("identity", "PATCH", f"/users/{owner.user_id}", {"user": {"options": given}})["user"]["options"]
    rules = [["password", "totp"], ["password", "nothing known"]]
    assert options(multi_factor_auth_enabled=True, multi_factor_auth_rules=rules)["multi_factor_auth_rules"] == rules
    refused(400, cloud.client, "identity", "PATCH", f"/users/{owner.user_id}", {"user": {"options": {
        "multi_factor_auth_rules": [[]]}}})
    right = {"password": {"password": "pw"}}
    status, receipt, body = login(cloud, **right)
    assert status == 401 and body["required_auth_methods"] == [["password", "totp"]]
    assert body["receipt"]["methods"] == ["password"] and body["receipt"]["user"]["name"] == "robin"
    assert login(cloud, password={"password": "wrong"})[1] == "", "who proves nothing gets no receipt"
    refused_with = [login(cloud, receipt=r, totp=code())[0] for r in ("junk", owner.token)]
    assert refused_with == [401, 401], "a token is no receipt"
    assert cloud.client.pool.request("GET", cloud.client.url("compute") + "/servers",
                                     headers={"X-Auth-Token": receipt}).status == 401, "a receipt is no token"
    while time.time() % 30 > 25:
        time.sleep(0.2)
    used = int(time.time()) // 30
    if login(cloud, receipt=receipt, totp=code())[0] != 201:  # the junk above has used this step's passcode
        while int(time.time()) // 30 == used:
            time.sleep(0.5)
        status, _, body = login(cloud, receipt=receipt, totp=code())
        assert status == 201 and set(body["token"]["methods"]) == {"password", "totp"}
    cloud.client.call("identity", "PATCH", f"/users/{owner.user_id}", {"user": {"password": "new"}})
    assert login(cloud, receipt=receipt, **right)[0] == 401, "it ends with the password that it was given for"
    assert options(multi_factor_auth_enabled=False)["multi_factor_auth_enabled"] is False
    assert login(cloud, password={"password": "new"})[0] == 201
