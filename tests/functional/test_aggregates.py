"""Host aggregates and availability zones, as clients see them in a cloud of one host."""

import pytest

from tests.functional.test_stories import refused, server_body, wait_gone, wait_status

HOST = "fake-host"


@pytest.fixture
def call(cloud):
    def inner(method, path="", body=None, version="2.81"):
        return cloud.client.call("compute", method, f"/os-aggregates{path}", body, version=version)
    return inner


@pytest.fixture
def act(call):
    def inner(aggregate, name, **arguments):
        return call("POST", f"/{aggregate['id']}/action", {name: arguments})["aggregate"]
    return inner


@pytest.fixture
def no(cloud):
    def inner(status, method, path, body=None):
        return refused(status, cloud.client, "compute", method, f"/os-aggregates{path}", body, version="2.81")
    return inner


@pytest.fixture
def made(call, act):
    """Creates aggregates, which are removed at the end."""
    found = []

    def create(name, **more):
        found.append(call("POST", "", {"aggregate": {"name": name, **more}})["aggregate"])
        return found[-1]
    yield create
    for left in call("GET")["aggregates"]:
        for host in left["hosts"]:
            act(left, "remove_host", host=host)
        call("DELETE", f"/{left['id']}")


@pytest.fixture(scope="module", autouse=True)
def empty(cloud):
    """The cloud comes with a server, whose host could not change its zone."""
    for server in cloud.client.call("compute", "GET", "/servers")["servers"]:
        cloud.client.call("compute", "DELETE", f"/servers/{server['id']}")
        wait_gone(cloud.client, server["id"])


def zones(cloud, detail: str = "") -> dict:
    found = cloud.client.call("compute", "GET", f"/os-availability-zone{detail}")["availabilityZoneInfo"]
    return {zone["zoneName"]: zone["hosts"] for zone in found}


def test_an_aggregate_from_its_creation_to_its_deletion(call, act, no, made, member):
    created = made(" racks ")
    assert created["name"] == "racks" and created["availability_zone"] is None and created["updated_at"] is None
    assert set(created) == {"id", "uuid", "name", "availability_zone", "created_at", "updated_at", "deleted", "deleted_at"}
    assert "racks already exists" in no(409, "POST", "", {"aggregate": {"name": "racks"}})
    where = f"/{created['id']}"
    assert call("GET", where)["aggregate"] == {**created, "hosts": [], "metadata": {}}
    assert "uuid" not in call("GET", where, version="2.40")["aggregate"]
    changed = act(created, "set_metadata", metadata={"ssd": "true", "rack": "3"})
    assert changed["metadata"] == {"ssd": "true", "rack": "3"} and changed["updated_at"]
    assert act(created, "set_metadata", metadata={"rack": None})["metadata"] == {"ssd": "true"}
    assert act(created, "add_host", host=HOST)["hosts"] == [HOST]
    assert f"already has host {HOST}" in no(409, "POST", f"{where}/action", {"add_host": {"host": HOST}})
    assert "could not be found" in no(404, "POST", f"{where}/action", {"add_host": {"host": "nowhere"}})
    assert "Host aggregate is not empty" in no(400, "DELETE", where)
    assert act(created, "remove_host", host=HOST)["hosts"] == []
    assert f"Cannot remove host {HOST} in aggregate" in no(404, "POST", f"{where}/action", {"remove_host": {"host": HOST}})
    other = made("other")
    assert "racks already exists" in no(409, "PUT", f"/{other['id']}", {"aggregate": {"name": "racks"}})
    assert call("PUT", where, {"aggregate": {"name": "rooms"}})["aggregate"]["name"] == "rooms"
    assert [a["name"] for a in call("GET")["aggregates"]] == ["rooms", "other"]
    call("DELETE", where)
    assert "could not be found" in no(404, "GET", where)
    for body in ({}, {"name": ""}, {"name": "x", "hosts": []}, {"name": "n" * 256}, {"name": "x", "availability_zone": "a:b"}):
        no(400, "POST", "", {"aggregate": body})
    assert "id must be an integer" in no(400, "GET", "/first")
    no(404, "GET", "/-1")
    for method, path, body in (("GET", "", None), ("POST", "", {"aggregate": {"name": "x"}}), ("DELETE", "/1", None)):
        refused(403, member, "compute", method, f"/os-aggregates{path}", body)


def test_a_host_is_in_one_zone_and_keeps_it_while_servers_are_there(cloud, call, act, no, made):
    assert zones(cloud) == {"nova": None} and set(zones(cloud, "/detail")["nova"]) == {HOST}
    assert {name for found in zones(cloud, "/detail")["internal"].values() for name in found} == {
        "nova-conductor", "nova-scheduler"}
    east, west, plain = made("e", availability_zone="east"), made("w", availability_zone="west"), made("p")
    act(east, "add_host", host=HOST)
    act(plain, "add_host", host=HOST)
    assert zones(cloud) == {"east": None} and set(zones(cloud, "/detail")["east"]) == {HOST}
    services = cloud.client.call("compute", "GET", "/os-services")["services"]
    assert {s["binary"]: s["zone"] for s in services} == {
        "nova-compute": "east", "nova-conductor": "internal", "nova-scheduler": "internal"}
    assert "already in availability zone(s) ['east']" in no(409, "POST", f"/{west['id']}/action", {"add_host": {"host": HOST}})
    for body in ({"aggregate": {"availability_zone": "west"}}, {"set_metadata": {"metadata": {"availability_zone": "west"}}}):
        where = ("PUT", f"/{plain['id']}") if "aggregate" in body else ("POST", f"/{plain['id']}/action")
        assert "already in availability zone(s) ['east']" in no(400, *where, body)
    assert "does not support empty named availability zone" in no(
        400, "POST", f"/{east['id']}/action", {"set_metadata": {"metadata": {"availability_zone": None}}})
    body = server_body(cloud.client, "zoned", availability_zone="nova")
    assert "zone is not available: nova" in refused(400, cloud.client, "compute", "POST", "/servers", body)
    body["server"]["availability_zone"] = "east"
    server = cloud.client.call("compute", "POST", "/servers", body)["server"]["id"]
    assert wait_status(cloud.client, server)["OS-EXT-AZ:availability_zone"] == "east"
    assert "contain instances in this zone" in no(400, "PUT", f"/{east['id']}", {"aggregate": {"availability_zone": "west"}})
    assert "would change from 'east' to 'None'" in no(409, "POST", f"/{east['id']}/action", {"remove_host": {"host": HOST}})
    call("PUT", f"/{east['id']}", {"aggregate": {"name": "still", "availability_zone": "east"}})  # it is the same zone
    again = made("again", availability_zone="east")  # a second aggregate of the same zone changes nothing
    act(again, "add_host", host=HOST)
    act(east, "remove_host", host=HOST)
    assert wait_status(cloud.client, server)["OS-EXT-AZ:availability_zone"] == "east"
    listed = cloud.client.call("compute", "GET", "/servers?availability_zone=east", version="2.83")["servers"]
    assert [s["id"] for s in listed] == [server]
    cloud.client.call("compute", "DELETE", f"/servers/{server}")
    wait_gone(cloud.client, server)
    call("PUT", f"/{again['id']}", {"aggregate": {"availability_zone": "north"}})
    assert zones(cloud) == {"north": None}
    free = cloud.client.call("compute", "POST", "/servers", server_body(cloud.client, "free"))["server"]["id"]
    assert wait_status(cloud.client, free)["OS-EXT-AZ:availability_zone"] == "north"
    assert "would change from 'None' to" not in no(409, "POST", f"/{west['id']}/action", {"add_host": {"host": HOST}})
    cloud.client.call("compute", "DELETE", f"/servers/{free}")
    wait_gone(cloud.client, free)


def test_the_placement_api_shows_aggregates_and_the_ratios_that_they_set(cloud, act, made):
    def get(path):
        return cloud.client.call("placement", "GET", f"/resource_providers{path}", version="1.39")
    (host,) = get("")["resource_providers"]
    group, other = made("ratios"), made("empty")
    act(group, "add_host", host=HOST)
    act(group, "set_metadata", metadata={"cpu_allocation_ratio": "2.5"})
    assert get(f"/{host['uuid']}/aggregates")["aggregates"] == [group["uuid"]]
    assert get(f"/{host['uuid']}/inventories")["inventories"]["VCPU"]["allocation_ratio"] == 2.5
    assert get(f"?member_of={group['uuid']}")["resource_providers"] == [host]
    assert get(f"?member_of={other['uuid']}")["resource_providers"] == []


def test_images_are_cached_on_request(cloud, call, no, made, act):
    image = cloud.client.find("image", "images", "cirros")["id"]
    hosts = made("cached")
    act(hosts, "add_host", host=HOST)
    where = f"/{hosts['id']}/images"
    call("POST", where, {"cache": [{"id": image}]})
    assert "Duplicate images" in no(400, "POST", where, {"cache": [{"id": image}, {"id": image}]})
    assert "Can not find requested image" in no(400, "POST", where, {"cache": [{"id": hosts["uuid"]}]})
    no(400, "POST", where, {"cache": []})
    refused(404, cloud.client, "compute", "POST", f"/os-aggregates{where}", {"cache": [{"id": image}]}, version="2.80")
