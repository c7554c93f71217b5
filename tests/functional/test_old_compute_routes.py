"""Images, networks, volumes and snapshots by the compute API's old routes, as they were until 2.35."""

import pytest

from common.periodic import wait_for
from tests.functional.test_stories import refused

OLD = "2.35"
LISTS = ("/images", "/images/detail", "/os-networks", "/os-tenant-networks", "/os-volumes", "/os-volumes/detail", "/os-snapshots",
         "/os-snapshots/detail")


@pytest.fixture(scope="module")
def ask(cloud):
    def inner(method, path, body=None, *, client=cloud.client, version=OLD):
        return client.call("compute", method, path, body, version=version)
    return inner


@pytest.fixture(scope="module")
def image(cloud):
    made = cloud.client.call("image", "POST", "/images", {
        "name": "old-ways", "disk_format": "raw", "container_format": "bare", "min_ram": 5, "k": "v", "a/b~c": "d",
        "instance_uuid": "0" * 8 + "-0000-4000-8000-" + "0" * 12})["id"]
    yield made


def test_the_routes_end_with_2_35(cloud, ask, image):
    for path in LISTS:
        ask("GET", path, version="2.1")
        refused(404, cloud.client, "compute", "GET", path, version="2.36")
    refused(404, cloud.client, "compute", "GET", f"/images/{image}", version="2.36")
    assert ask("GET", f"/images/{image}/metadata", version="2.38")["metadata"]["k"] == "v"
    refused(404, cloud.client, "compute", "GET", f"/images/{image}/metadata", version="2.39")


@pytest.mark.parametrize(("method", "path"), [
    ("GET", "/os-simple-tenant-usage/"), ("DELETE", "/os-security-groups/"), ("DELETE", "/images/"), ("GET", "/os-volumes/"),
    ("DELETE", "/os-volumes/"), ("GET", "/servers/")])
def test_an_empty_id_does_not_exist(cloud, method, path):
    refused(404, cloud.client, "compute", method, path, version=OLD)


def test_a_rule_that_exists_is_refused_as_before_the_network_service(cloud, ask):
    group = ask("POST", "/os-security-groups", {"security_group": {"name": "twice", "description": ""}})["security_group"]["id"]
    rule = {"security_group_rule": {"parent_group_id": group, "ip_protocol": "tcp", "from_port": 22, "to_port": 22}}
    ask("POST", "/os-security-group-rules", rule)
    refused(400, cloud.client, "compute", "POST", "/os-security-group-rules", rule, version=OLD)
    ask("DELETE", f"/os-security-groups/{group}")


def test_images(cloud, member, ask, image):
    shown = ask("GET", f"/images/{image}")["image"]
    assert (shown["name"], shown["minRam"], shown["status"], shown["progress"], shown["OS-EXT-IMG-SIZE:size"]) == (
        "old-ways", 5, "SAVING", 25, 0)
    assert shown["metadata"]["k"] == "v" and "visibility" not in shown["metadata"] and shown["server"]["id"].startswith("0" * 8)
    assert [link["rel"] for link in shown["links"]] == ["self", "bookmark", "alternate"]
    assert set(ask("GET", "/images?name=old-ways")["images"][0]) == {"id", "name", "links"}
    for query, count in (("property-k=v", 1), ("property-k=w", 0), ("status=SAVING&name=old-ways", 0), ("minRam=5", 1),
                         (f"server=http://x/servers/{shown['server']['id']}", 1),
                         ("name=old-ways&changes-since=2999-01-01T00:00:00Z", 0)):
        assert len([i for i in ask("GET", f"/images/detail?{query}")["images"] if i["id"] == image]) == count, query
    page = ask("GET", "/images?limit=1")
    assert len(page["images"]) == 1 and "limit=1&marker=" in page["images_links"][0]["href"]
    for method in ("GET", "DELETE"):
        refused(404, member, "compute", method, f"/images/{image}", version=OLD)
    refused(404, cloud.client, "compute", "GET", "/images/x", version=OLD)
    public = cloud.client.find("image", "images", "cirros")["id"]
    refused(403, member, "compute", "DELETE", f"/images/{public}", version=OLD)


def test_metadata_of_images(cloud, member, ask, image):
    where = f"/images/{image}/metadata"
    assert ask("POST", where, {"metadata": {"x": "y", "k": "w"}})["metadata"] | {"x": "y", "k": "w", "a/b~c": "d"} == ask(
        "GET", where)["metadata"]
    assert ask("PUT", f"{where}/x", {"meta": {"x": "z"}}) == {"meta": {"x": "z"}} == ask("GET", f"{where}/x")
    ask("DELETE", f"{where}/x")
    refused(404, cloud.client, "compute", "GET", f"{where}/x", version=OLD)
    refused(404, cloud.client, "compute", "DELETE", f"{where}/x", version=OLD)
    refused(400, cloud.client, "compute", "PUT", f"{where}/x", {"meta": {"y": "z"}}, version=OLD)
    assert ask("PUT", where, {"metadata": {"only": "this"}}) == {"metadata": {"only": "this"}} == ask("GET", where)
    for wrong in ({"visibility": "public"}, {"os_glance_import": "x"}, {"a": 1}):
        refused(400, cloud.client, "compute", "POST", where, {"metadata": wrong}, version=OLD)
    refused(403, cloud.client, "compute", "POST", where, {"metadata": {f"k{n}": "v" for n in range(200)}}, version=OLD)
    refused(404, member, "compute", "POST", where, {"metadata": {"k": "theirs"}}, version=OLD)
    public = cloud.client.find("image", "images", "cirros")["id"]
    refused(403, member, "compute", "PUT", f"/images/{public}/metadata/k", {"meta": {"k": "theirs"}}, version=OLD)
    assert ask("GET", where) == {"metadata": {"only": "this"}}
    ask("DELETE", f"/images/{image}")
    refused(404, cloud.client, "compute", "GET", f"/images/{image}", version=OLD)


def test_networks(cloud, member, ask):
    private = cloud.client.find("network", "networks", "private")["id"]
    assert {"id": private, "label": "private", "cidr": "None"} in ask("GET", "/os-tenant-networks")["networks"]
    assert ask("GET", f"/os-tenant-networks/{private}")["network"]["label"] == "private"
    shown = ask("GET", f"/os-networks/{private}")["network"]
    assert (shown["id"], shown["label"], shown["cidr"], shown["mtu"]) == (private, "private", None, None)
    seen = ask("GET", "/os-networks", client=member)["networks"]
    assert all("mtu" not in n and "gateway" in n for n in seen) and shown in ask("GET", "/os-networks")["networks"]
    own = cloud.client.call("network", "POST", "/networks", {"network": {"name": "hidden"}})["network"]["id"]
    assert own not in [n["id"] for n in ask("GET", "/os-networks", client=member)["networks"]]
    for kind in ("os-networks", "os-tenant-networks"):
        refused(404, member, "compute", "GET", f"/{kind}/{own}", version=OLD)
        refused(404, cloud.client, "compute", "GET", f"/{kind}/x", version=OLD)
    cloud.client.call("network", "DELETE", f"/networks/{own}")


def test_volumes_and_snapshots(cloud, member, ask):
    client = cloud.client
    body = {"volume": {"size": "1", "display_name": "old", "display_description": "d", "metadata": {"a": "b"}}}
    made = ask("POST", "/os-volumes", body)["volume"]
    assert (made["displayName"], made["displayDescription"], made["size"], made["attachments"], made["metadata"]) == (
        "old", "d", 1, [{}], {"a": "b"})
    where = f"/os-volumes/{made['id']}"
    wait_for(lambda: ask("GET", where)["volume"]["status"] == "available", 20, what="the volume")
    for path in ("/os-volumes", "/os-volumes/detail"):
        assert made["id"] in [v["id"] for v in ask("GET", path)["volumes"]]
        assert len(ask("GET", path + "?limit=1")["volumes"]) == 1 and ask("GET", path + "?offset=1000")["volumes"] == []
        assert made["id"] not in [v["id"] for v in ask("GET", path, client=member)["volumes"]]
    for wrong in ({}, {"size": 0}, {"size": 1, "name": "x"}, {"size": "x"}):
        refused(400, client, "compute", "POST", "/os-volumes", {"volume": wrong}, version=OLD)
    refused(403, client, "compute", "POST", "/os-volumes", {"volume": {"size": 100000}}, version=OLD)
    taken = ask("POST", "/os-snapshots", {"snapshot": {"volume_id": made["id"], "display_name": "s"}})["snapshot"]
    assert (taken["volumeId"], taken["displayName"], taken["size"]) == (made["id"], "s", 1)
    there = f"/os-snapshots/{taken['id']}"
    wait_for(lambda: ask("GET", there)["snapshot"]["status"] == "available", 20, what="the snapshot")
    for path in ("/os-snapshots", "/os-snapshots/detail"):
        assert taken["id"] in [s["id"] for s in ask("GET", path)["snapshots"]]
    for path in (where, there):
        for method in ("GET", "DELETE"):
            refused(404, member, "compute", method, path, version=OLD)
    refused(404, member, "compute", "POST", "/os-snapshots", {"snapshot": {"volume_id": made["id"]}}, version=OLD)
    ask("DELETE", there)
    wait_for(lambda: taken["id"] not in [s["id"] for s in ask("GET", "/os-snapshots")["snapshots"]], 20, what="it to go")
    ask("DELETE", where)
    wait_for(lambda: made["id"] not in [v["id"] for v in ask("GET", "/os-volumes")["volumes"]], 20, what="the volume to go")
