"""A consumer gets a user's leave by OAuth 1.0a; oauthlib's own client signs as consumers do."""

import json
import time
import urllib.parse

import pytest
from oauthlib import oauth1

from common.periodic import wait_for
from tests.conftest import login_as
from tests.functional.test_application_credentials import ask, owner  # noqa: F401
from tests.functional.test_stories import refused

LOGIN = {"auth": {"identity": {"methods": ["oauth1"], "oauth1": {}}}}


@pytest.fixture
def giver(cloud, owner):  # noqa: F811
    """Keystone lets none but administrators deal with consumers: a user who is one on his own project."""
    role = cloud.client.find("identity", "roles", "admin")["id"]
    cloud.client.call("identity", "PUT", f"/projects/{owner.project_id}/users/{owner.user_id}/roles/{role}")
    client = login_as(cloud, "robin", "pw", "robots")
    client.user_id = owner.user_id
    return client


@pytest.fixture
def consumer(cloud):
    made = cloud.client.call("identity", "POST", "/OS-OAUTH1/consumers", {"consumer": {"description": "a printer"}})["consumer"]
    yield made
    cloud.client.call("identity", "DELETE", f"/OS-OAUTH1/consumers/{made['id']}")


def signed(cloud, consumer: dict, path: str, *, secret: str = "", body=None, headers=(), sent=None, **signing):
    """(status, form fields or text, headers sent) of a POST that oauthlib's client signed; ``sent``: headers of one before."""
    url = cloud.client.url("identity") + path
    if sent is None:
        sent = oauth1.Client(consumer["id"], client_secret=secret or consumer["secret"], **signing).sign(
            url, http_method="POST", headers=dict(headers))[1]
    response = cloud.client.pool.request("POST", url, headers={**sent, "Content-Type": "application/json"},
                                         body=json.dumps(body) if body else None)
    form = response.headers["Content-Type"].startswith("application/x-www-form-urlencoded")
    fields = dict(urllib.parse.parse_qsl(response.data.decode())) if form else json.loads(response.data or "null")
    if "X-Subject-Token" in response.headers:
        fields["subject"] = response.headers["X-Subject-Token"]
    return response.status, fields, sent


def obtain(cloud, consumer, giver) -> dict:
    """The resource giver's keys for an access token with the role of a reader."""
    status, wanted, _ = signed(cloud, consumer, "/OS-OAUTH1/request_token", callback_uri="oob",
                               headers={"Requested-Project-Id": giver.project_id})
    assert status == 201 and wanted["oauth_expires_at"] > time.strftime("%Y-%m-%d")
    path = f"/OS-OAUTH1/authorize/{wanted['oauth_token']}"
    refused(401, giver, "identity", "PUT", path, {"roles": [{"name": "service"}]})
    verifier = giver.call("identity", "PUT", path, {"roles": [{"name": "reader"}]})["token"]["oauth_verifier"]
    keys = {"resource_owner_key": wanted["oauth_token"], "resource_owner_secret": wanted["oauth_token_secret"]}
    assert signed(cloud, consumer, "/OS-OAUTH1/access_token", verifier="12345678", **keys)[0] == 401
    status, given, _ = signed(cloud, consumer, "/OS-OAUTH1/access_token", verifier=verifier, **keys)
    assert status == 201
    assert signed(cloud, consumer, "/OS-OAUTH1/access_token", verifier=verifier, **keys)[0] == 401, "it was changed already"
    return {"resource_owner_key": given["oauth_token"], "resource_owner_secret": given["oauth_token_secret"]}


def test_consumers(cloud, owner, consumer):  # noqa: F811
    path = f"/OS-OAUTH1/consumers/{consumer['id']}"
    shown = cloud.client.call("identity", "GET", path)["consumer"]
    assert "secret" not in shown and shown["description"] == "a printer" and shown["links"]["self"].endswith(path)
    changed = cloud.client.call("identity", "PATCH", path, {"consumer": {"description": "another"}})["consumer"]
    assert changed["description"] == "another" and "secret" not in changed
    refused(400, cloud.client, "identity", "PATCH", path, {"consumer": {"secret": "mine"}})
    refused(403, owner, "identity", "GET", path)
    refused(404, cloud.client, "identity", "GET", path + "x")
    assert consumer["id"] in [c["id"] for c in cloud.client.call("identity", "GET", "/OS-OAUTH1/consumers")["consumers"]]


def test_a_consumer_acts_for_a_user(cloud, giver, consumer):
    keys = obtain(cloud, consumer, giver)
    status, body, sent = signed(cloud, consumer, "/auth/tokens", body=LOGIN, **keys)
    token = body["token"]
    assert status == 201 and token["methods"] == ["oauth1"] and [r["name"] for r in token["roles"]] == ["reader"]
    assert token["OS-OAUTH1"] == {"access_token_id": keys["resource_owner_key"], "consumer_id": consumer["id"]}
    assert token["user"]["name"] == "robin" and token["project"]["id"] == giver.project_id
    assert ask(cloud, body["subject"], "compute", "GET", "/servers")[0] == 200
    for method, path, given in (
            ("POST", "/auth/tokens", {"auth": {"identity": {"methods": ["token"], "token": {"id": body["subject"]}}}}),
            ("POST", f"/users/{giver.user_id}/application_credentials", {"application_credential": {"name": "more"}}),
            ("GET", "/credentials", None),
            ("POST", "/OS-TRUST/trusts", {"trust": {"trustor_user_id": giver.user_id, "trustee_user_id": giver.user_id,
                                                    "impersonation": True}})):
        assert ask(cloud, body["subject"], "identity", method, path, given)[0] == 403, path
    assert signed(cloud, consumer, "/auth/tokens", body=LOGIN, sent=sent)[0] == 401, "a request that somebody recorded"
    assert signed(cloud, consumer, "/auth/tokens", body=LOGIN, secret="wrong", **keys)[0] == 401
    assert signed(cloud, {"id": "0" * 32, "secret": "x"}, "/auth/tokens", body=LOGIN, **keys)[0] == 401
    assert signed(cloud, consumer, "/auth/tokens", body=LOGIN, timestamp=str(int(time.time()) - 900), **keys)[0] == 401


def test_a_user_takes_it_back(cloud, giver, member, consumer):
    keys = obtain(cloud, consumer, giver)
    token = signed(cloud, consumer, "/auth/tokens", body=LOGIN, **keys)[1]["subject"]
    path = f"/users/{giver.user_id}/OS-OAUTH1/access_tokens"
    (listed,) = giver.call("identity", "GET", path)["access_tokens"]
    assert (listed["consumer_id"], listed["authorizing_user_id"]) == (consumer["id"], giver.user_id)
    one = f"{path}/{listed['id']}"
    assert giver.call("identity", "GET", one)["access_token"] == listed
    (role,) = giver.call("identity", "GET", one + "/roles")["roles"]
    assert giver.call("identity", "GET", f"{one}/roles/{role['id']}")["role"]["name"] == "reader"
    refused(404, giver, "identity", "GET", f"{one}/roles/x")
    for method, asked in (("GET", path), ("GET", one), ("GET", one + "/roles"), ("DELETE", one)):
        refused(403, member, "identity", method, asked)
    giver.call("identity", "DELETE", one)
    assert ask(cloud, token, "identity", "GET", "/auth/projects")[0] == 401
    wait_for(lambda: ask(cloud, token, "compute", "GET", "/servers")[0] == 401, 5, what="its end in compute")
    assert signed(cloud, consumer, "/auth/tokens", body=LOGIN, **keys)[0] == 401


def test_what_a_consumer_asks_for_must_be_whole(cloud, giver, member, consumer):
    assert signed(cloud, consumer, "/OS-OAUTH1/request_token", callback_uri="oob")[0] == 400, "no project"
    header = {"Requested-Project-Id": "nothing"}
    assert signed(cloud, consumer, "/OS-OAUTH1/request_token", callback_uri="oob", headers=header)[0] == 404
    assert signed(cloud, consumer, "/OS-OAUTH1/request_token", headers={"Requested-Project-Id": giver.project_id})[0] == 400
    assert signed(cloud, consumer, "/OS-OAUTH1/access_token")[0] == 400
    refused(403, member, "identity", "PUT", "/OS-OAUTH1/authorize/nothing", {"roles": [{"name": "reader"}]})
    refused(404, giver, "identity", "PUT", "/OS-OAUTH1/authorize/nothing", {"roles": [{"name": "reader"}]})
    refused(400, giver, "identity", "PUT", "/OS-OAUTH1/authorize/nothing", {"roles": []})
