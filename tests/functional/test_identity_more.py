"""EC2 credentials, limits, tags and trees of projects."""

import pytest

from tests.functional.test_stories import refused


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
    assert member.call("identity", "GET", "/limits")["limits"] == [limit]
    assert member.call("identity", "GET", "/limits/model")["model"]["name"] == "flat"
    refused(403, cloud.client, "identity", "DELETE", f"/registered_limits/{registered['id']}")
    refused(403, cloud.client, "identity", "PATCH", f"/registered_limits/{registered['id']}", {
        "registered_limit": {"resource_name": "other"}})
    changed = call("PATCH", f"/limits/{limit['id']}", {"limit": {"resource_limit": 3}})["limit"]
    assert changed["resource_limit"] == 3 and changed["resource_name"] == "servers"
    call("DELETE", f"/limits/{limit['id']}")
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
    found = call("GET", f"/projects/{middle}?parents_as_list&subtree_as_list")["project"]
    assert [p["project"]["id"] for p in found["parents"] + found["subtree"]] == [top, leaf]
    refused(400, cloud.client, "identity", "GET", f"/projects/{top}?subtree_as_ids&subtree_as_list")
    for project in (leaf, middle, top):
        call("DELETE", f"/projects/{project}")
