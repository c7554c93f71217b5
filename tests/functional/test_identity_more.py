"""EC2 credentials, limits, tags and trees of projects."""

import hashlib
import json

import pytest

from common.periodic import wait_for
from tests.functional.test_stories import refused
from tests.identity.derivations import s3_v2


@pytest.fixture
def call(cloud):
    def inner(method, path, body=None):
        return cloud.client.call("identity", method, path, body)
    return inner


def test_ec2_credentials(cloud, call, member):
    me = call("GET", "/users?name=mallory")["users"][0]["id"]
    path = f"/users/{me}/credentials/OS-EC2"
    made = member.call("identity", "POST", path, {"tenant_id": member.project_id})["credential"]
    assert made["tenant_id"] == member.project_id and len(made["access"]) == len(made["secret"]) == 32
    assert member.call("identity", "GET", f"{path}/{made['access']}")["credential"] == made
    assert member.call("identity", "GET", path)["credentials"] == [made]
    refused(403, member, "identity", "POST", path, {"tenant_id": cloud.client.project_id})
    admin = call("GET", "/users?name=admin")["users"][0]["id"]
    refused(403, member, "identity", "GET", f"/users/{admin}/credentials/OS-EC2")
    refused(404, cloud.client, "identity", "GET", f"/users/{admin}/credentials/OS-EC2/{made['access']}")
    member.call("identity", "DELETE", f"{path}/{made['access']}")
    refused(404, member, "identity", "GET", f"{path}/{made['access']}")


def test_a_service_has_a_signature_checked(cloud, call, member):
    """Who signed the request gets no token, and neither does who saw it: the service that received it does."""
    me = call("GET", "/users?name=mallory")["users"][0]["id"]
    made = member.call("identity", "POST", f"/users/{me}/credentials/OS-EC2", {"tenant_id": member.project_id})["credential"]
    def request() -> dict:
        return {"credentials": s3_v2(made)}
    body = request()

    def post(token: str, sent: dict):
        return cloud.client.pool.request("POST", cloud.client.url("identity") + "/s3tokens", body=json.dumps(sent), headers={
            "Content-Type": "application/json", **({"X-Auth-Token": token} if token else {})})
    assert [post(t, body).status for t in ("", member.token)] == [401, 403]
    answer = post(cloud.client.token, body)
    assert answer.status == 200 and answer.json()["token"]["user"]["name"] == "mallory"
    assert answer.json()["token"]["project"]["id"] == member.project_id and answer.json()["token"]["methods"] == ["ec2credential"]
    servers = cloud.client.pool.request("GET", cloud.client.url("compute") + "/servers", headers={
        "X-Auth-Token": answer.headers["X-Subject-Token"]})
    assert servers.status == 200
    assert post(cloud.client.token, body).status == 401, "somebody who recorded it shows it again"
    for wrong in ({"signature": "x"}, {"signature": "\u00e9"}, {"access": "nobody"}):
        assert post(cloud.client.token, {"credentials": {**request()["credentials"], **wrong}}).status == 401
    id = hashlib.sha256(made["access"].encode()).hexdigest()
    changed = {"credential": {"blob": json.dumps({"access": "another", "secret": made["secret"]})}}
    assert call("PATCH", f"/credentials/{id}", changed)["credential"]["id"] == id
    assert [post(cloud.client.token, {"credentials": {**request()["credentials"], "access": key}}).status
            for key in (made["access"], "another")] == [401, 200]
    changed["credential"]["blob"] = json.dumps({k: made[k] for k in ("access", "secret")})
    call("PATCH", f"/credentials/{id}", changed)
    refused(400, cloud.client, "identity", "POST", "/ec2tokens", {"credentials": {}})
    refused(401, cloud.client, "identity", "POST", "/ec2tokens", {"credentials": {"access": made["access"], "signature": "x"}})
    member.call("identity", "DELETE", f"/users/{me}/credentials/OS-EC2/{made['access']}")
    assert post(cloud.client.token, request()).status == 401
    wait_for(lambda: cloud.client.pool.request("GET", cloud.client.url("compute") + "/servers", headers={
        "X-Auth-Token": answer.headers["X-Subject-Token"]}).status == 401, 5, what="its token to be refused")


def test_limits(cloud, call, member):
    service = cloud.client.find("identity", "services", "nova")["id"]
    register = {"service_id": service, "resource_name": "servers", "default_limit": 5}
    refused(403, member, "identity", "POST", "/registered_limits", {"registered_limits": [register]})
    (registered,) = call("POST", "/registered_limits", {"registered_limits": [register]})["registered_limits"]
    refused(409, cloud.client, "identity", "POST", "/registered_limits", {"registered_limits": [register]})
    refused(404, cloud.client, "identity", "POST", "/registered_limits", {"registered_limits": [{**register, "service_id": "x"}]})
    refused(400, cloud.client, "identity", "POST", "/registered_limits", {"registered_limits": [{"service_id": service}]})
    changed = call("PATCH", f"/registered_limits/{registered['id']}", {"registered_limit": {"default_limit": 7}})
    assert changed["registered_limit"]["default_limit"] == 7
    own = {"service_id": service, "resource_name": "servers", "resource_limit": 9, "project_id": member.project_id}
    refused(403, cloud.client, "identity", "POST", "/limits", {"limits": [{**own, "resource_name": "nothing"}]})
    refused(400, cloud.client, "identity", "POST", "/limits", {"limits": [{**own, "domain_id": "default"}]})
    (limit,) = call("POST", "/limits", {"limits": [own]})["limits"]
    assert {k: limit[k] for k in own} == own and limit["domain_id"] is None
    refused(409, cloud.client, "identity", "POST", "/limits", {"limits": [own]})
    (of_domain,) = call("POST", "/limits", {"limits": [{**{k: own[k] for k in (
        "service_id", "resource_name", "resource_limit")}, "domain_id": "default"}]})["limits"]
    assert member.call("identity", "GET", "/limits")["limits"] == [limit]
    assert member.call("identity", "GET", "/limits/model")["model"]["name"] == "flat"
    refused(403, cloud.client, "identity", "DELETE", f"/registered_limits/{registered['id']}")
    refused(403, cloud.client, "identity", "PATCH", f"/registered_limits/{registered['id']}", {
        "registered_limit": {"resource_name": "other"}})
    changed = call("PATCH", f"/limits/{limit['id']}", {"limit": {"resource_limit": 3}})["limit"]
    assert changed["resource_limit"] == 3 and changed["resource_name"] == "servers"
    for one in (limit, of_domain):
        call("DELETE", f"/limits/{one['id']}")
    call("DELETE", f"/registered_limits/{registered['id']}")
    refused(404, cloud.client, "identity", "GET", f"/limits/{limit['id']}")


def test_tags_of_projects(cloud, call, member):
    made = [call("POST", "/projects", {"project": {"name": n, "tags": t}})["project"]
            for n, t in (("red", ["colour", "warm"]), ("blue", ["colour"]), ("plain", []))]
    assert [p["tags"] for p in made] == [["colour", "warm"], ["colour"], []]
    ids = [p["id"] for p in made]

    def listed(query: str) -> list[str]:
        return [p["name"] for p in made if p["id"] in {x["id"] for x in call("GET", f"/projects?{query}")["projects"]}]
    assert listed("tags=colour") == ["red", "blue"] and listed("tags=colour,warm") == ["red"]
    assert listed("tags-any=warm,nothing") == ["red"] and listed("not-tags=colour,warm") == ["blue", "plain"]
    assert listed("not-tags-any=colour") == ["plain"]
    path = f"/projects/{ids[2]}/tags"
    call("PUT", path + "/new")
    call("PUT", path + "/new")
    assert call("GET", path)["tags"] == ["new"] and call("PUT", path, {"tags": ["b", "a"]})["tags"] == ["a", "b"]
    refused(400, cloud.client, "identity", "PUT", path, {"tags": ["a,b"]})
    refused(404, cloud.client, "identity", "GET", path + "/new")
    refused(403, member, "identity", "PUT", path + "/x")
    call("DELETE", path + "/a")
    call("DELETE", path)
    assert call("GET", f"/projects/{ids[2]}")["project"]["tags"] == []
    assert call("PATCH", f"/projects/{ids[2]}", {"project": {"tags": ["z"]}})["project"]["tags"] == ["z"]
    for project in ids:
        call("DELETE", f"/projects/{project}")


def test_trees_of_projects(cloud, call):
    top = call("POST", "/projects", {"project": {"name": "top"}})["project"]["id"]
    middle = call("POST", "/projects", {"project": {"name": "middle", "parent_id": top}})["project"]["id"]
    leaf = call("POST", "/projects", {"project": {"name": "leaf", "parent_id": middle}})["project"]["id"]
    assert call("GET", f"/projects/{leaf}?parents_as_ids")["project"]["parents"] == {middle: {top: None}}
    assert call("GET", f"/projects/{top}?subtree_as_ids")["project"]["subtree"] == {middle: {leaf: None}}
    assert call("GET", f"/projects/{leaf}?subtree_as_ids")["project"]["subtree"] is None
    own = call("GET", "/users?name=admin")["users"][0]["id"]
    role = call("GET", "/roles?name=reader")["roles"][0]["id"]
    for project in (top, leaf):
        call("PUT", f"/projects/{project}/users/{own}/roles/{role}")
    found = call("GET", f"/projects/{middle}?parents_as_list&subtree_as_list")["project"]
    assert [p["project"]["id"] for p in found["parents"] + found["subtree"]] == [top, leaf]
    refused(400, cloud.client, "identity", "GET", f"/projects/{top}?subtree_as_ids&subtree_as_list")
    for project in (leaf, middle, top):
        call("DELETE", f"/projects/{project}")


@pytest.fixture
def tree(cloud, call):
    """A user without any role, and three projects, one below the other."""
    user = call("POST", "/users", {"user": {"name": "heir", "password": "pw"}})["user"]["id"]
    ids, parent = [], None
    for name in ("grand", "parent", "child"):
        parent = call("POST", "/projects", {"project": {"name": name, "parent_id": parent}})["project"]["id"]
        ids.append(parent)
    yield user, ids
    call("DELETE", f"/users/{user}")
    for project in reversed(ids):
        call("DELETE", f"/projects/{project}")


def status(cloud, project: str) -> int:
    """Of the heir's login to a project."""
    body = {"auth": {"identity": {"methods": ["password"], "password": {"user": {
        "name": "heir", "domain": {"id": "default"}, "password": "pw"}}}, "scope": {"project": {"id": project}}}}
    return cloud.client.pool.request("POST", cloud.client.url("identity") + "/auth/tokens", body=json.dumps(body),
                                     headers={"Content-Type": "application/json"}).status


def test_roles_are_inherited(cloud, call, tree):
    user, (grand, parent, child) = tree
    role = cloud.client.find("identity", "roles", "reader")["id"]
    assert [status(cloud, p) for p in (grand, parent, child)] == [401, 401, 401]
    one = f"/OS-INHERIT/projects/{grand}/users/{user}/roles/{role}/inherited_to_projects"
    call("PUT", one)
    assert [status(cloud, p) for p in (grand, parent, child)] == [401, 201, 201], "to those below, not to itself"
    call("GET", one)
    (shown,) = call("GET", f"/role_assignments?user.id={user}")["role_assignments"]
    assert shown["scope"] == {"project": {"id": grand}, "OS-INHERIT:inherited_to": "projects"}
    assert shown["links"]["assignment"].endswith("/v3" + one)
    effective = call("GET", f"/role_assignments?user.id={user}&effective&include_names")["role_assignments"]
    assert {a["scope"]["project"]["name"] for a in effective} == {"parent", "child"}
    only = call("GET", f"/role_assignments?scope.project.id={child}&effective")["role_assignments"]
    assert user in {a["user"]["id"] for a in only}
    below = call("GET", f"/role_assignments?scope.project.id={grand}&include_subtree&effective")["role_assignments"]
    assert {a["scope"]["project"]["id"] for a in below if a["user"]["id"] == user} == {parent, child}
    assert {p["id"] for p in call("GET", f"/users/{user}/projects")["projects"]} == {parent, child}
    call("DELETE", one)
    refused(404, cloud.client, "identity", "GET", one)
    assert [status(cloud, p) for p in (grand, parent, child)] == [401, 401, 401]


def test_a_group_inherits_in_a_domain(cloud, call, tree):
    user, projects = tree
    role = cloud.client.find("identity", "roles", "reader")["id"]
    group = call("POST", "/groups", {"group": {"name": "heirs"}})["group"]["id"]
    call("PUT", f"/groups/{group}/users/{user}")
    path = f"/OS-INHERIT/domains/default/groups/{group}/roles"
    call("PUT", f"{path}/{role}/inherited_to_projects")
    assert [r["id"] for r in call("GET", f"{path}/inherited_to_projects")["roles"]] == [role]
    assert [status(cloud, p) for p in projects] == [201, 201, 201]
    refused(404, cloud.client, "identity", "GET", f"/domains/default/groups/{group}/roles/{role}")
    call("DELETE", f"{path}/{role}/inherited_to_projects")
    assert [status(cloud, p) for p in projects] == [401, 401, 401]
    call("DELETE", f"/groups/{group}")


def test_roles_of_domains(cloud, call, tree):
    """A domain's own role gives what it implies, and nothing by its name."""
    user, projects = tree
    domain = call("POST", "/domains", {"domain": {"name": "other-domain"}})["domain"]["id"]
    foreign = call("POST", "/roles", {"role": {"name": "admin", "domain_id": domain}})["role"]
    own = call("POST", "/roles", {"role": {"name": "admin", "domain_id": "default"}})["role"]
    assert own["domain_id"] == "default"
    assert own["id"] not in str(call("GET", "/roles?name=admin")) and own["id"] in str(call("GET", "/roles?domain_id=default"))
    refused(409, cloud.client, "identity", "POST", "/roles", {"role": {"name": "admin", "domain_id": "default"}})
    grant = f"/projects/{projects[0]}/users/{user}/roles"
    refused(403, cloud.client, "identity", "PUT", f"{grant}/{foreign['id']}")
    call("PUT", f"{grant}/{own['id']}")
    assert status(cloud, projects[0]) == 401, "a domain's admin is nobody's admin"
    reader = cloud.client.find("identity", "roles", "reader")["id"]
    refused(403, cloud.client, "identity", "PUT", f"/roles/{reader}/implies/{own['id']}")
    refused(404, cloud.client, "identity", "GET", f"/roles/{own['id']}/implies/{reader}")
    call("PUT", f"/roles/{own['id']}/implies/{reader}")
    assert call("GET", f"/roles/{own['id']}/implies/{reader}")["role_inference"]["implies"]["name"] == "reader"
    assert status(cloud, projects[0]) == 201
    effective = call("GET", f"/role_assignments?user.id={user}&effective&include_names")["role_assignments"]
    assert [a["role"]["name"] for a in effective] == ["reader"]
    call("PATCH", f"/domains/{domain}", {"domain": {"enabled": False}})
    call("DELETE", f"/domains/{domain}")
    refused(404, cloud.client, "identity", "GET", f"/roles/{foreign['id']}")
    call("DELETE", f"/roles/{own['id']}")


def test_a_project_sees_the_endpoints_it_is_given(cloud, call, tree):
    user, (project, *_) = tree
    reader = cloud.client.find("identity", "roles", "reader")["id"]
    call("PUT", f"/projects/{project}/users/{user}/roles/{reader}")

    def catalog() -> set[str]:
        body = {"auth": {"identity": {"methods": ["password"], "password": {"user": {
            "name": "heir", "domain": {"id": "default"}, "password": "pw"}}}, "scope": {"project": {"id": project}}}}
        answer = cloud.client.pool.request("POST", cloud.client.url("identity") + "/auth/tokens", body=json.dumps(body),
                                           headers={"Content-Type": "application/json"}).json()
        return {e["id"] for s in answer["token"]["catalog"] for e in s["endpoints"]}
    everything = catalog()
    assert len(everything) > 5
    compute = cloud.client.find("identity", "services", "nova")["id"]
    endpoints = call("GET", f"/endpoints?service_id={compute}")["endpoints"]
    base = "/OS-EP-FILTER"
    one = f"{base}/projects/{project}/endpoints/{endpoints[0]['id']}"
    refused(404, cloud.client, "identity", "GET", one)
    call("PUT", one)
    call("PUT", one)
    assert catalog() == {endpoints[0]["id"]}
    assert [p["id"] for p in call("GET", f"{base}/endpoints/{endpoints[0]['id']}/projects")["projects"]] == [project]
    image = cloud.client.find("identity", "services", "glance")["id"]
    refused(400, cloud.client, "identity", "POST", f"{base}/endpoint_groups", {"endpoint_group": {"name": "x", "filters": {}}})
    refused(400, cloud.client, "identity", "POST", f"{base}/endpoint_groups", {"endpoint_group": {
        "name": "x", "filters": {"colour": "red"}}})
    group = call("POST", f"{base}/endpoint_groups", {"endpoint_group": {"name": "images", "filters": {
        "service_id": image}}})["endpoint_group"]
    assert group["links"]["self"].endswith(f"{base}/endpoint_groups/{group['id']}")
    path = f"{base}/endpoint_groups/{group['id']}"
    images = {e["id"] for e in call("GET", path + "/endpoints")["endpoints"]}
    call("PUT", f"{path}/projects/{project}")
    assert catalog() == {endpoints[0]["id"]} | images
    assert {e["id"] for e in call("GET", f"{base}/projects/{project}/endpoints")["endpoints"]} == catalog()
    assert [g["id"] for g in call("GET", f"{base}/projects/{project}/endpoint_groups")["endpoint_groups"]] == [group["id"]]
    changed = call("PATCH", path, {"endpoint_group": {"filters": {"interface": "internal"}}})["endpoint_group"]
    assert changed["filters"] == {"service_id": image, "interface": "internal"} and len(catalog()) == 2
    call("DELETE", one)
    call("DELETE", f"{path}/projects/{project}")
    refused(404, cloud.client, "identity", "GET", f"{path}/projects/{project}")
    assert catalog() == everything
    call("DELETE", path)


@pytest.mark.parametrize(("plural", "body"), [
    ("users", {"name": "extra"}), ("projects", {"name": "extra"}), ("groups", {"name": "extra"}), ("roles", {"name": "extra"}),
    ("services", {"type": "extra"})])
def test_clients_add_attributes_of_their_own(cloud, call, plural, body):
    one = plural[:-1]
    made = call("POST", f"/{plural}", {one: {**body, "colour": "red", "sizes": [1, 2], "links": "no", "extra": "no"}})[one]
    path = f"/{plural}/{made['id']}"
    assert (made["colour"], made["sizes"]) == ("red", [1, 2]) and made["links"]["self"].endswith(path) and "extra" not in made
    changed = call("PATCH", path, {one: {"colour": "blue", "shape": None}})[one]
    assert (changed["colour"], changed["sizes"], changed["shape"]) == ("blue", [1, 2], None)
    shown = call("GET", path)[one]
    assert shown["colour"] == "blue" and "password_hash" not in shown
    assert call("GET", path)[one] == next(x for x in call("GET", f"/{plural}")[plural] if x["id"] == made["id"])
    call("DELETE", path)


def test_columns_are_not_attributes(cloud, call):
    """What no client may set is not set, whatever he sends: not even an administrator writes a hash."""
    sent = {"password_hash": "x", "failed_logins": 99, "password_expires_at": 1, "last_active_at": 1, "id": "mine"}
    made = call("POST", "/users", {"user": {"name": "plain", "password": "pw", **sent}})["user"]
    assert made["id"] != "mine" and made["password_expires_at"] is None
    call("PATCH", f"/users/{made['id']}", {"user": sent})
    body = {"auth": {"identity": {"methods": ["password"], "password": {"user": {"id": made["id"], "password": "pw"}}}}}
    answer = cloud.client.pool.request("POST", cloud.client.url("identity") + "/auth/tokens", body=json.dumps(body),
                                       headers={"Content-Type": "application/json"})
    assert answer.status == 201
    call("DELETE", f"/users/{made['id']}")
