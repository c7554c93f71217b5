"""Groups, trusts, credentials: what they give, and that what is taken away is gone at once."""

import json
import pathlib

import pytest

from tests.conftest import login_as
from tests.functional.test_stories import refused


@pytest.fixture(scope="module")
def people(cloud):
    """erin and frank, who have nothing; project lab; the role ids."""
    admin = cloud.client
    made = {n: admin.call("identity", "POST", "/users", {"user": {"name": n, "password": "pw"}})["user"]["id"]
            for n in ("erin", "frank")}
    made["lab"] = admin.call("identity", "POST", "/projects", {"project": {"name": "lab"}})["project"]["id"]
    made.update({n: admin.find("identity", "roles", n)["id"] for n in ("member", "reader", "admin")})
    return made


def scoped(cloud, user: str, scope: dict | None) -> tuple[int, dict, str | None]:
    """(status, body, token) of a password login with a scope as it stands."""
    body = {"auth": {"identity": {"methods": ["password"], "password": {"user": {
        "name": user, "domain": {"id": "default"}, "password": "pw"}}}, **({"scope": scope} if scope else {})}}
    response = cloud.client.pool.request("POST", cloud.client.url("identity") + "/auth/tokens", body=json.dumps(body),
                                         headers={"Content-Type": "application/json"})
    return response.status, json.loads(response.data), response.headers.get("X-Subject-Token")


def test_a_group_gives_its_roles_and_takes_them_away(cloud, people):
    call, lab = cloud.client.call, people["lab"]
    group = call("identity", "POST", "/groups", {"group": {"name": "staff"}})["group"]
    refused(409, cloud.client, "identity", "POST", "/groups", {"group": {"name": "staff"}})
    grant = f"/projects/{lab}/groups/{group['id']}/roles/{people['member']}"
    call("identity", "PUT", grant)
    call("identity", "GET", grant)
    assert scoped(cloud, "erin", {"project": {"id": lab}})[0] == 401
    seat = f"/groups/{group['id']}/users/{people['erin']}"
    call("identity", "PUT", seat)
    call("identity", "PUT", seat)
    assert [u["name"] for u in call("identity", "GET", f"/groups/{group['id']}/users")["users"]] == ["erin"]
    erin = login_as(cloud, "erin", "pw", "lab")
    assert erin.call("compute", "GET", "/servers") == {"servers": []}
    effective = call("identity", "GET", f"/role_assignments?effective&user.id={people['erin']}&include_names")
    assert {(a["role"]["name"], a["scope"]["project"]["name"]) for a in effective["role_assignments"]} == {
        ("member", "lab"), ("reader", "lab")}
    direct = call("identity", "GET", f"/role_assignments?group.id={group['id']}")["role_assignments"]
    assert [(a["group"]["id"], a["role"]["id"]) for a in direct] == [(group["id"], people["member"])]
    call("identity", "DELETE", seat)
    refused(401, erin, "identity", "GET", "/auth/projects")
    refused(404, cloud.client, "identity", "GET", seat)
    call("identity", "PUT", seat)
    erin = login_as(cloud, "erin", "pw", "lab")
    call("identity", "DELETE", f"/groups/{group['id']}")
    refused(401, erin, "identity", "GET", "/auth/projects")
    assert scoped(cloud, "erin", {"project": {"id": lab}})[0] == 401


def test_a_trust_lends_one_role_until_it_ends(cloud, people):
    call, lab = cloud.client.call, people["lab"]
    grant = f"/projects/{lab}/users/{people['erin']}/roles/{people['member']}"
    call("identity", "PUT", grant)
    erin = login_as(cloud, "erin", "pw", "lab")
    wish = {"trust": {"trustor_user_id": people["erin"], "trustee_user_id": people["frank"], "impersonation": True,
                      "project_id": lab, "roles": [{"name": "reader"}]}}
    refused(403, erin, "identity", "POST", "/OS-TRUST/trusts",
            {"trust": {**wish["trust"], "roles": [{"name": "admin"}]}})
    refused(403, cloud.client, "identity", "POST", "/OS-TRUST/trusts", wish)
    trust = erin.call("identity", "POST", "/OS-TRUST/trusts", wish)["trust"]
    assert [r["name"] for r in trust["roles"]] == ["reader"]
    scope = {"OS-TRUST:trust": {"id": trust["id"]}}
    assert scoped(cloud, "erin", scope)[0] == 401, "only the trustee may use it"
    status, body, token = scoped(cloud, "frank", scope)
    assert status == 201
    assert (body["token"]["user"]["name"], [r["name"] for r in body["token"]["roles"]]) == ("erin", ["reader"])
    assert body["token"]["OS-TRUST:trust"]["trustee_user"]["id"] == people["frank"]
    lent = login_as(cloud, "erin", "pw", "lab")
    lent.token = token
    assert lent.call("volume", "GET", "/volumes") == {"volumes": []}
    refused(403, lent, "volume", "POST", "/volumes", {"volume": {"size": 1}})
    refused(403, lent, "identity", "POST", "/OS-TRUST/trusts", wish)
    listed = erin.call("identity", "GET", f"/OS-TRUST/trusts?trustor_user_id={people['erin']}")["trusts"]
    assert [t["id"] for t in listed] == [trust["id"]]
    refused(403, erin, "identity", "GET", "/OS-TRUST/trusts")
    erin.call("identity", "DELETE", f"/OS-TRUST/trusts/{trust['id']}")
    refused(401, lent, "identity", "GET", "/auth/projects")
    assert scoped(cloud, "frank", scope)[0] == 401
    once = erin.call("identity", "POST", "/OS-TRUST/trusts", {"trust": {**wish["trust"], "remaining_uses": 1}})["trust"]
    assert [scoped(cloud, "frank", {"OS-TRUST:trust": {"id": once["id"]}})[0] for _ in range(2)] == [201, 401]
    kept = erin.call("identity", "POST", "/OS-TRUST/trusts", wish)["trust"]
    call("identity", "DELETE", grant)
    assert scoped(cloud, "frank", {"OS-TRUST:trust": {"id": kept["id"]}})[0] == 401, "one cannot lend what one has lost"


def test_credentials_are_their_owners_and_are_encrypted(cloud, people):
    call = cloud.client.call
    blob = json.dumps({"access": "AKIA", "secret": "very-secret"})
    wish = {"credential": {"type": "ec2", "blob": blob, "user_id": people["erin"], "project_id": people["lab"]}}
    made = call("identity", "POST", "/credentials", wish)["credential"]
    refused(409, cloud.client, "identity", "POST", "/credentials", wish)
    refused(400, cloud.client, "identity", "POST", "/credentials", {"credential": {**wish["credential"], "blob": "none"}})
    refused(400, cloud.client, "identity", "PATCH", f"/credentials/{made['id']}", {"credential": {"type": "totp"}})
    assert call("identity", "GET", f"/credentials/{made['id']}")["credential"]["blob"] == blob
    stored = b"".join(p.read_bytes() for p in pathlib.Path(cloud.state, "db").glob("identity.sqlite*"))
    assert b"very-secret" not in stored
    call("identity", "PUT", f"/projects/{people['lab']}/users/{people['frank']}/roles/{people['reader']}")
    frank = login_as(cloud, "frank", "pw", "lab")
    refused(403, frank, "identity", "GET", f"/credentials/{made['id']}")
    assert frank.call("identity", "GET", "/credentials")["credentials"] == []
    call("identity", "DELETE", f"/credentials/{made['id']}")
    refused(404, cloud.client, "identity", "GET", f"/credentials/{made['id']}")


def test_a_policy_document_is_kept(cloud):
    call = cloud.client.call
    made = call("identity", "POST", "/policies", {"policy": {"type": "text/plain", "blob": "{}"}})["policy"]
    assert call("identity", "PATCH", f"/policies/{made['id']}", {"policy": {"blob": "x"}})["policy"]["blob"] == "x"
    call("identity", "DELETE", f"/policies/{made['id']}")
