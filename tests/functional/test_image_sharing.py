"""Images shared with projects, which say themselves whether they want them; and the catalog of metadata definitions."""

import json

import pytest

from tests.functional.test_stories import refused


@pytest.fixture
def image(cloud):
    made = cloud.client.call("image", "POST", "/images", {"name": "shared", "disk_format": "raw", "container_format": "bare"})
    yield made["id"]
    cloud.client.call("image", "DELETE", f"/images/{made['id']}")


def listed(client, query: str = "") -> list[str]:
    return [i["id"] for i in client.call("image", "GET", f"/images{query}")["images"]]


def test_an_image_is_shared(cloud, member, image):
    owner, path = cloud.client, f"/images/{image}/members"
    refused(404, member, "image", "GET", f"/images/{image}")
    made = owner.call("image", "POST", path, {"member": member.project_id})
    assert (made["member_id"], made["image_id"], made["status"]) == (member.project_id, image, "pending")
    refused(409, owner, "image", "POST", path, {"member": member.project_id})
    # An offer can be looked at, but is in no list until it is accepted.
    assert member.call("image", "GET", f"/images/{image}")["id"] == image and image not in listed(member)
    assert image in listed(member, "?member_status=pending") and image in listed(member, "?member_status=all&visibility=shared")
    one = f"{path}/{member.project_id}"
    assert member.call("image", "PUT", one, {"status": "accepted"})["status"] == "accepted" and image in listed(member)
    assert owner.call("image", "GET", path)["members"][0]["status"] == "accepted" == owner.call("image", "GET", one)["status"]
    member.call("image", "PUT", one, {"status": "rejected"})
    assert image not in listed(member) and image in listed(member, "?member_status=rejected")
    owner.call("image", "DELETE", one)
    refused(404, member, "image", "GET", f"/images/{image}")
    refused(404, owner, "image", "DELETE", one)


def test_what_a_member_may_not(cloud, member, image):
    owner, path = cloud.client, f"/images/{image}/members"
    refused(404, member, "image", "POST", path, {"member": member.project_id})
    for project in (member.project_id, "another"):
        owner.call("image", "POST", path, {"member": project})
    assert [m["member_id"] for m in member.call("image", "GET", path)["members"]] == [member.project_id], "others are not shown"
    refused(404, member, "image", "GET", f"{path}/another")
    refused(404, member, "image", "PUT", f"{path}/another", {"status": "accepted"})
    refused(403, member, "image", "POST", path, {"member": "third"})
    refused(404, member, "image", "DELETE", f"{path}/another")
    for wrong in ({"status": "maybe"}, {}):
        refused(400, member, "image", "PUT", f"{path}/{member.project_id}", wrong)
    refused(400, owner, "image", "POST", path, {})
    refused(400, owner, "image", "GET", "/images?member_status=maybe")
    private = owner.call("image", "POST", "/images", {"name": "private", "visibility": "private"})["id"]
    refused(403, owner, "image", "POST", f"/images/{private}/members", {"member": member.project_id})
    owner.call("image", "DELETE", f"/images/{private}")
    refused(403, member, "image", "DELETE", f"/images/{image}")


def test_an_image_changes_hands_and_is_switched_off(cloud, member, image):
    """An administrator gives it to another project; its owner may deactivate it, a stranger may not."""
    def patch(client, value):
        return client.pool.request("PATCH", client.url("image") + f"/images/{image}", headers={
            "X-Auth-Token": client.token, "Content-Type": "application/openstack-images-v2.1-json-patch"},
            body=json.dumps([{"op": "replace", "path": "/owner", "value": value}])).status
    assert patch(cloud.client, member.project_id) == 200
    assert member.call("image", "GET", f"/images/{image}")["owner"] == member.project_id
    assert patch(member, cloud.client.project_id) == 403
    assert "stores" not in member.call("image", "GET", f"/images/{image}")
    cloud.client.pool.request("PUT", cloud.client.url("image") + f"/images/{image}/file", body=b"x" * 600, headers={
        "X-Auth-Token": member.token, "Content-Type": "application/octet-stream"})
    assert member.call("image", "GET", f"/images/{image}")["stores"] == "file"
    member.call("image", "POST", f"/images/{image}/actions/deactivate")
    assert member.call("image", "GET", f"/images/{image}")["status"] == "deactivated"
    member.call("image", "POST", f"/images/{image}/actions/reactivate")
    assert patch(cloud.client, cloud.client.project_id) == 200
    refused(404, member, "image", "POST", f"/images/{image}/actions/deactivate")
    for method in ("GET", "DELETE"):
        refused(404, cloud.client, "image", method, "/images/")
    refused(405, cloud.client, "image", "DELETE", "/images")


def test_schemas_and_what_the_service_says_of_itself(cloud, member):
    call = cloud.client.call
    for name in ("image", "images", "member", "members"):
        assert call("image", "GET", f"/schemas/{name}")["name"] == name
    for name, title in (("namespace", "namespace"), ("namespaces", "namespaces"), ("object", "object"), ("tags", "tags"),
                        ("resource_type", "resource_type_association"), ("properties", "properties")):
        assert call("image", "GET", f"/schemas/metadefs/{name}")["name"] == title
    refused(404, cloud.client, "image", "GET", "/schemas/nothing")
    refused(404, cloud.client, "image", "GET", "/schemas/metadefs/nothing")
    assert call("image", "GET", "/info/stores")["stores"][0]["id"] == "file"
    refused(403, member, "image", "GET", "/info/stores/detail")
    assert call("image", "GET", "/info/stores/detail")["stores"][0]["properties"]["data_dir"].startswith("/")
    assert member.call("image", "GET", "/info/usage")["usage"]["image_count_total"] == {"limit": -1, "usage": 0}


@pytest.fixture
def space(cloud):
    body = {"namespace": "Test::Space", "display_name": "Space", "visibility": "public",
            "resource_type_associations": [{"name": "OS::Nova::Flavor", "prefix": "hw:"}],
            "objects": [{"name": "cpu", "description": "d", "properties": {"cores": {"title": "Cores", "type": "integer"}}}],
            "properties": {"speed": {"title": "Speed", "type": "integer", "minimum": 1}}, "tags": [{"name": "fast"}]}
    made = cloud.client.call("image", "POST", "/metadefs/namespaces", body)
    yield made
    cloud.client.call("image", "DELETE", "/metadefs/namespaces/Test::Space")


def test_a_namespace(cloud, member, space):
    call, path = cloud.client.call, "/metadefs/namespaces/Test::Space"
    shown = member.call("image", "GET", path)
    assert shown == call("image", "GET", path) and shown["properties"]["speed"]["minimum"] == 1
    assert [o["name"] for o in shown["objects"]] == ["cpu"] and [t["name"] for t in shown["tags"]] == ["fast"]
    assert shown["resource_type_associations"][0]["prefix"] == "hw:"
    refused(409, cloud.client, "image", "POST", "/metadefs/namespaces", {"namespace": "Test::Space"})
    refused(400, cloud.client, "image", "POST", "/metadefs/namespaces", {"namespace": "x" * 81})
    refused(400, cloud.client, "image", "POST", "/metadefs/namespaces", {"display_name": "none"})
    for method, sub, body in (("POST", "", None), ("PUT", "", {"namespace": "Test::Space"}), ("DELETE", "", None),
                              ("POST", "/objects", {"name": "o"}), ("DELETE", "/tags", None),
                              ("DELETE", "/properties/speed", None)):
        if method != "POST" or sub:
            refused(403, member, "image", method, path + sub, body)
    changed = call("image", "PUT", path, {"namespace": "Test::Space", "visibility": "private", "protected": True})
    assert changed["protected"] is True and changed["display_name"] == "Space"
    refused(404, member, "image", "GET", path)
    refused(403, cloud.client, "image", "DELETE", path)
    call("image", "PUT", path, {"namespace": "Test::Space", "protected": False})
    names = [n["namespace"] for n in call("image", "GET", "/metadefs/namespaces?resource_types=OS::Nova::Flavor")["namespaces"]]
    assert names[0] == "Test::Space" and "OS::Compute::Quota" in names, "the newest first, and the standard ones"
    others = call("image", "GET", "/metadefs/namespaces?resource_types=OS::Glance::Image&limit=100")["namespaces"]
    assert others and "Test::Space" not in [n["namespace"] for n in others]
    refused(400, cloud.client, "image", "GET", "/metadefs/namespaces?sort_key=x")


def test_what_is_in_a_namespace(cloud, space):
    call, path = cloud.client.call, "/metadefs/namespaces/Test::Space"
    made = call("image", "POST", path + "/objects", {"name": "disk"})
    assert made["required"] == [] and made["self"].endswith("/objects/disk")
    refused(409, cloud.client, "image", "POST", path + "/objects", {"name": "disk"})
    assert call("image", "PUT", path + "/objects/disk", {**made, "name": "disks"})["name"] == "disks"
    refused(409, cloud.client, "image", "PUT", path + "/objects/disks", {"name": "cpu"})
    assert [o["name"] for o in call("image", "GET", path + "/objects")["objects"]] == ["cpu", "disks"]
    prop = {"name": "colour", "title": "Colour", "type": "string", "enum": ["red"]}
    assert call("image", "POST", path + "/properties", prop)["enum"] == ["red"]
    refused(400, cloud.client, "image", "POST", path + "/properties", {"name": "x", "title": "X", "type": "thing"})
    assert set(call("image", "GET", path + "/properties")["properties"]) == {"speed", "colour"}
    assert call("image", "GET", path + "/properties/colour") == {**prop}
    call("image", "DELETE", path + "/properties/colour")
    refused(404, cloud.client, "image", "GET", path + "/properties/colour")
    assert call("image", "POST", path + "/tags/slow")["name"] == "slow"
    replaced = call("image", "POST", path + "/tags", {"tags": [{"name": "a"}, {"name": "b"}]})["tags"]
    assert [t["name"] for t in replaced] == ["a", "b"]
    assert call("image", "PUT", path + "/tags/a", {"name": "c"})["name"] == "c"
    call("image", "DELETE", path + "/tags")
    assert call("image", "GET", path + "/tags")["tags"] == []
    call("image", "POST", path + "/resource_types", {"name": "My::Own"})
    assert "My::Own" in [t["name"] for t in call("image", "GET", "/metadefs/resource_types")["resource_types"]]
    refused(409, cloud.client, "image", "POST", path + "/resource_types", {"name": "My::Own"})
    call("image", "DELETE", path + "/resource_types/My::Own")
    refused(404, cloud.client, "image", "DELETE", path + "/resource_types/My::Own")
    left = call("image", "GET", path + "/resource_types")["resource_type_associations"]
    assert [x["name"] for x in left] == ["OS::Nova::Flavor"]
