"""Application credentials: what their tokens may do, and how they end."""

import json
import time

import pytest

from common.periodic import wait_for
from tests.conftest import login_as
from tests.functional.test_stories import refused


@pytest.fixture
def owner(cloud):
    """A user with member and reader on a project, logged in."""
    admin = cloud.client
    project = admin.call("identity", "POST", "/projects", {"project": {"name": "robots"}})["project"]["id"]
    user = admin.call("identity", "POST", "/users", {"user": {"name": "robin", "password": "pw"}})["user"]["id"]
    for name in ("member", "reader"):
        role = admin.find("identity", "roles", name)["id"]
        admin.call("identity", "PUT", f"/projects/{project}/users/{user}/roles/{role}")
    client = login_as(cloud, "robin", "pw", "robots")
    client.user_id = user
    yield client
    admin.call("identity", "DELETE", f"/users/{user}")
    admin.call("identity", "DELETE", f"/projects/{project}")


def make(owner, **more) -> dict:
    return owner.call("identity", "POST", f"/users/{owner.user_id}/application_credentials", {
        "application_credential": {"name": "robot", **more}})["application_credential"]


def ask(cloud, token: str, service: str, method: str, path: str, body=None):
    response = cloud.client.pool.request(method, cloud.client.url(service) + path, headers={
        "X-Auth-Token": token, "Content-Type": "application/json", "OpenStack-API-Version": f"{service} latest"},
        body=json.dumps(body) if body else None)
    return response.status, json.loads(response.data or "null") if response.status < 300 else response.data


def login(cloud, credential: dict, **more):
    """(status, token or "", body) of a login with a credential."""
    auth = {"identity": {"methods": ["application_credential"], "application_credential": credential}, **more}
    response = cloud.client.pool.request("POST", cloud.client.url("identity") + "/auth/tokens", body=json.dumps({"auth": auth}),
                                         headers={"Content-Type": "application/json"})
    return response.status, response.headers.get("X-Subject-Token", ""), json.loads(response.data)


def test_a_program_logs_in(cloud, owner):
    made = make(owner, roles=[{"name": "reader"}], description="nightly")
    assert [r["name"] for r in made["roles"]] == ["reader"] and made["project_id"] == owner.project_id
    path = f"/users/{owner.user_id}/application_credentials"
    shown = owner.call("identity", "GET", f"{path}/{made['id']}")["application_credential"]
    assert "secret" not in shown and "secret_hash" not in shown and shown["description"] == "nightly"
    assert [c["id"] for c in owner.call("identity", "GET", path + "?name=robot")["application_credentials"]] == [made["id"]]
    status, token, body = login(cloud, {"id": made["id"], "secret": made["secret"]})
    assert status == 201 and body["token"]["application_credential"] == {"id": made["id"], "name": "robot", "restricted": True}
    assert body["token"]["methods"] == ["application_credential"] and body["token"]["project"]["name"] == "robots"
    assert [r["name"] for r in body["token"]["roles"]] == ["reader"]
    assert ask(cloud, token, "compute", "GET", "/servers")[0] == 200
    assert ask(cloud, token, "volume", "POST", "/volumes", {"volume": {"size": 1}})[0] == 403, "a reader makes nothing"
    named = {"name": "robot", "user": {"name": "robin", "domain": {"id": "default"}}, "secret": made["secret"]}
    assert login(cloud, named)[0] == 201
    owner.call("identity", "DELETE", f"{path}/{made['id']}")
    assert login(cloud, {"id": made["id"], "secret": made["secret"]})[0] == 401
    wait_for(lambda: ask(cloud, token, "compute", "GET", "/servers")[0] == 401, 5, what="its token to be refused")


def test_what_is_refused(cloud, owner, member):
    made = make(owner, roles=[], access_rules=None, expires_at=None, secret=None, unrestricted=None)  # as the CLI sends it
    assert "access_rules" not in made
    assert sorted(r["name"] for r in made["roles"]) == ["member", "reader"]
    for wrong in ({"secret": "x"}, {"id": "nothing"}, {"secret": ""}):
        assert login(cloud, {"id": made["id"], "secret": made["secret"], **wrong})[0] == 401
    assert login(cloud, {"id": made["id"], "secret": made["secret"]}, scope={"project": {"id": owner.project_id}})[0] == 401
    path = f"/users/{owner.user_id}/application_credentials"
    for body, status in (({"name": "robot"}, 409), ({"name": "r", "roles": [{"name": "admin"}]}, 400), ({}, 400),
                         ({"name": "r", "expires_at": "2001-01-01T00:00:00"}, 400),
                         ({"name": "r", "access_rules": [{"path": "/v3", "method": "EAT", "service": "x"}]}, 400)):
        refused(status, owner, "identity", "POST", path, {"application_credential": body})
    refused(403, member, "identity", "GET", path)
    refused(403, member, "identity", "DELETE", f"{path}/{made['id']}")
    refused(403, cloud.client, "identity", "POST", path, {"application_credential": {"name": "r"}})
    _, token, _ = login(cloud, {"id": made["id"], "secret": made["secret"]})
    again = {"application_credential": {"name": "child"}}
    assert ask(cloud, token, "identity", "POST", path, again)[0] == 403, "a restricted one makes no others"
    assert ask(cloud, token, "identity", "DELETE", f"{path}/{made['id']}")[0] == 403
    assert ask(cloud, token, "identity", "POST", "/OS-TRUST/trusts", {"trust": {
        "trustor_user_id": owner.user_id, "trustee_user_id": owner.user_id, "impersonation": True}})[0] == 403
    rescope = {"auth": {"identity": {"methods": ["token"], "token": {"id": token}}}}
    assert ask(cloud, token, "identity", "POST", "/auth/tokens", rescope)[0] == 403
    free = make(owner, name="free", unrestricted=True)
    _, token, _ = login(cloud, {"id": free["id"], "secret": free["secret"]})
    assert ask(cloud, token, "identity", "POST", path, again)[0] == 201


def test_secrets_of_the_user_are_not_for_who_acts_for_him(cloud, owner):
    """An EC2 key opens all that the user has; a program with less must neither make one nor read one."""
    ec2, blob = f"/users/{owner.user_id}/credentials/OS-EC2", {"type": "ec2", "project_id": owner.project_id,
                                                             "blob": json.dumps({"access": "a", "secret": "s"})}
    key = owner.call("identity", "POST", ec2, {"tenant_id": owner.project_id})["credential"]["access"]
    kept = owner.call("identity", "POST", "/credentials", {"credential": {**blob, "type": "note"}})["credential"]["id"]
    made = make(owner, roles=[{"name": "reader"}], unrestricted=True)
    _, token, _ = login(cloud, {"id": made["id"], "secret": made["secret"]})
    for method, path, body in (("POST", ec2, {"tenant_id": owner.project_id}), ("GET", ec2, None), ("GET", f"{ec2}/{key}", None),
                               ("POST", "/credentials", {"credential": blob}), ("GET", "/credentials", None),
                               ("GET", f"/credentials/{kept}", None),
                               ("PATCH", f"/credentials/{kept}", {"credential": {"blob": "x"}})):
        assert ask(cloud, token, "identity", method, path, body)[0] == 403, (method, path)
    for wrong in ({"access": "a"}, {"access": "a", "secret": 5}, []):
        refused(400, owner, "identity", "POST", "/credentials", {"credential": {**blob, "blob": json.dumps(wrong)}})
    own = owner.call("identity", "POST", "/credentials", {"credential": blob})["credential"]["id"]
    refused(409, owner, "identity", "PATCH", f"/credentials/{own}", {"credential": {
        "blob": json.dumps({"access": key, "secret": "s"})}})


def test_it_ends_with_its_time_and_its_roles(cloud, owner):
    at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(time.time() + 2))
    short, lasting = make(owner, name="short", expires_at=at), make(owner, name="lasting")
    status, token, body = login(cloud, {"id": short["id"], "secret": short["secret"]})
    assert status == 201 and body["token"]["expires_at"][:19] == at == short["expires_at"][:19]
    admin = cloud.client
    role = admin.find("identity", "roles", "reader")["id"]
    admin.call("identity", "DELETE", f"/projects/{owner.project_id}/users/{owner.user_id}/roles/{role}")
    # The member role implies the reader's: nothing is lost yet.
    assert login(cloud, {"id": lasting["id"], "secret": lasting["secret"]})[0] == 201
    role = admin.find("identity", "roles", "member")["id"]
    admin.call("identity", "DELETE", f"/projects/{owner.project_id}/users/{owner.user_id}/roles/{role}")
    assert login(cloud, {"id": lasting["id"], "secret": lasting["secret"]})[0] == 401
    wait_for(lambda: ask(cloud, token, "compute", "GET", "/servers")[0] == 401, 5, what="its end")
    assert login(cloud, {"id": short["id"], "secret": short["secret"]})[0] == 401


def test_access_rules(cloud, owner):
    rules = [{"service": "compute", "method": "GET", "path": "/v2.1/servers/*"},
             {"service": "compute", "method": "POST", "path": "/v2.1/servers"},
             {"service": "image", "method": "GET", "path": "/v2/images/**"}]
    made = make(owner, access_rules=rules)
    assert [{k: r[k] for k in rules[0]} for r in sorted(made["access_rules"], key=lambda r: r["path"])] == sorted(
        rules, key=lambda r: r["path"])
    _, token, body = login(cloud, {"id": made["id"], "secret": made["secret"]})
    assert len(body["token"]["application_credential"]["access_rules"]) == 3
    image = cloud.client.find("image", "images", "cirros")["id"]
    for service, method, path, status in (
            ("compute", "GET", "/servers/detail", 200), ("compute", "GET", "/servers", 401), ("compute", "GET", "/flavors", 401),
            ("compute", "DELETE", "/servers/detail", 401), ("image", "GET", f"/images/{image}", 200),
            ("image", "GET", "/images", 401), ("volume", "GET", "/volumes", 401), ("network", "GET", "/networks", 401),
            ("identity", "GET", "/auth/projects", 401), ("identity", "GET", "/users", 401)):
        assert ask(cloud, token, service, method, path)[0] == status, (service, method, path)
    # Compute asks the image and the network service on his behalf: that was not his to ask, but is compute's.
    status, server = ask(cloud, token, "compute", "POST", "/servers", {"server": {
        "name": "by-rule", "imageRef": image, "flavorRef": "42", "networks": "none"}})
    assert status == 202, server
    wait_for(lambda: owner.call("compute", "GET", f"/servers/{server['server']['id']}")["server"]["status"] == "ACTIVE", 20,
             what="the server")
    owner.call("compute", "DELETE", f"/servers/{server['server']['id']}")
    base = f"/users/{owner.user_id}/access_rules"
    known = owner.call("identity", "GET", base)["access_rules"]
    assert len(known) == 3 and len(owner.call("identity", "GET", base + "?service=image")["access_rules"]) == 1
    refused(403, owner, "identity", "DELETE", f"{base}/{known[0]['id']}")
    second = make(owner, name="second", access_rules=[{"id": known[0]["id"]}, rules[0]])
    assert {r["id"] for r in second["access_rules"]} <= {r["id"] for r in known}
    for credential in (made, second):
        owner.call("identity", "DELETE", f"/users/{owner.user_id}/application_credentials/{credential['id']}")
    owner.call("identity", "DELETE", f"{base}/{known[0]['id']}")
    refused(404, owner, "identity", "GET", f"{base}/{known[0]['id']}")
    none = make(owner, name="none", access_rules=[])
    _, token, _ = login(cloud, {"id": none["id"], "secret": none["secret"]})
    assert ask(cloud, token, "compute", "GET", "/servers")[0] == 401, "no rule allows nothing"


def test_every_method_that_is_named_must_succeed(cloud, owner):
    """A token beside a wrong password is no login with a password."""
    def status(password: str, name: str = "robin") -> int:
        user = {"name": name, "domain": {"id": "default"}, "password": password}
        return ask(cloud, "", "identity", "POST", "/auth/tokens", {"auth": {"identity": {
            "methods": ["token", "password"], "token": {"id": owner.token}, "password": {"user": user}}}})[0]
    assert (status("pw"), status("wrong"), status(cloud.client.password, "admin")) == (201, 401, 401)
    assert ask(cloud, "", "identity", "POST", "/auth/tokens", {"auth": {"identity": {
        "methods": ["token", "magic"], "token": {"id": owner.token}}}})[0] == 401
