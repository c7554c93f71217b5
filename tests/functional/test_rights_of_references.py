"""Objects that are named inside others: each with the rights of who names it."""

import json
import time

import pytest

from tests.conftest import login_as
from tests.tenancy.frame import Asker

FAR = "11111111-2222-4333-8444-555555555555"


def person(cloud, name: str) -> Asker:
    admin = cloud.client
    project = admin.call("identity", "POST", "/projects", {"project": {"name": f"{name}-of-refs"}})["project"]
    user = admin.call("identity", "POST", "/users", {"user": {"name": name, "password": "pw-of-them"}})["user"]
    role = admin.find("identity", "roles", "member")
    admin.call("identity", "PUT", f"/projects/{project['id']}/users/{user['id']}/roles/{role['id']}")
    return Asker(login_as(cloud, name, "pw-of-them", f"{name}-of-refs"))


@pytest.fixture(scope="module")
def people(cloud):
    return person(cloud, "carol"), person(cloud, "dave")


def image(who: Asker, **more) -> str:
    made = who.made("image", "/v2/images", {"name": "i", "disk_format": "raw", "container_format": "bare",
                                            "visibility": "private", **more})["id"]
    status = who.client.pool.request("PUT", who.client.url("image") + f"/images/{made}/file", body=b"\1" * 4096, headers={
        "X-Auth-Token": who.client.token, "Content-Type": "application/octet-stream"}).status
    assert status == 204
    return made


def boot(who: Asker, **more) -> tuple[int, str]:
    body = {"server": {"name": "s", "flavorRef": "42", "networks": "none", **more}}
    return who("compute", "POST", "/v2.1/servers", body, version="compute 2.67")


@pytest.fixture(scope="module")
def server(cloud, people):
    network = people[1].made("network", "/v2.0/networks", {"network": {"name": "n"}})["id"]
    people[1].made("network", "/v2.0/subnets", {"subnet": {"network_id": network, "cidr": "10.88.0.0/24", "ip_version": 4}})
    own = image(people[1])
    status, text = boot(people[1], imageRef=own, networks=[{"uuid": network}])
    assert status == 202, text
    found = {"id": json.loads(text)["server"]["id"], "network": network, "image": own}
    settled(people[1], found["id"])
    return found


def settled(who: Asker, server_id: str) -> dict:
    for _ in range(200):
        shown = json.loads(who("compute", "GET", f"/v2.1/servers/{server_id}")[1])["server"]
        if shown["status"] != "BUILD" and shown["OS-EXT-STS:task_state"] is None:
            return shown
        time.sleep(0.1)
    raise AssertionError(shown)


@pytest.mark.parametrize("part", ["kernel_id", "ramdisk_id"])
def test_an_image_names_no_part_that_its_user_cannot_see(people, server, part):
    """A host fetches parts with a service's rights: another's private image came as a ramdisk."""
    carol, dave = people
    secret = image(carol)
    for named, expected in ((secret, 400), (FAR, 400), ("../images", 400), (image(dave), 202)):
        own = image(dave, **{part: named})
        status, text = boot(dave, imageRef=own)
        assert status == expected, (named, text)
        for action in ({"rebuild": {"imageRef": own}}, {"rescue": {"rescue_image_ref": own}}) if expected == 400 else ():
            status, text = dave("compute", "POST", f"/v2.1/servers/{server['id']}/action", action)
            assert status == 400, (action, text)


def test_an_interface_is_not_on_the_external_network(cloud, people, server):
    external = json.loads(people[1]("network", "GET", "/v2.0/networks?router:external=True")[1])["networks"][0]["id"]
    status, text = people[1]("compute", "POST", f"/v2.1/servers/{server['id']}/os-interface",
                             {"interfaceAttachment": {"net_id": external}})
    assert status == 403 and "external network" in text
    assert boot(people[1], imageRef=server["image"], networks=[{"uuid": external}])[0] == 403


def test_a_port_of_another_project_is_not_plugged(cloud, people, server):
    """An admin sees all ports, and the owner of a network those of others on it."""
    port = cloud.client.call("network", "POST", "/ports", {"port": {"network_id": server["network"]}})["port"]["id"]
    status, text = people[1]("compute", "POST", f"/v2.1/servers/{server['id']}/os-interface",
                             {"interfaceAttachment": {"port_id": port}})
    assert status in (400, 404), text
    assert boot(people[1], imageRef=server["image"], networks=[{"port": port}])[0] == 400
    cloud.client.call("network", "DELETE", f"/ports/{port}")


def test_a_port_that_claims_to_be_a_servers_is_none_of_its(cloud, people, server):
    """Whoever wrote its ``device_id``: network_info is what the host bound."""
    network = cloud.client.call("network", "GET", "/networks?router:external=False")["networks"][0]["id"]
    forged = cloud.client.call("network", "POST", "/ports", {"port": {
        "network_id": network, "device_id": server["id"], "device_owner": "compute:nova"}})["port"]["id"]
    same = cloud.client.call("network", "POST", "/ports", {"port": {
        "network_id": server["network"], "device_id": server["id"], "device_owner": "compute:nova"}})["port"]["id"]
    cloud.client.call("compute", "POST", "/os-server-external-events", {"events": [
        {"name": "network-changed", "server_uuid": server["id"]}]})
    status, text = people[1]("compute", "GET", f"/v2.1/servers/{server['id']}/os-interface")
    assert len(json.loads(text)["interfaceAttachments"]) == 1 and forged not in text and same not in text
    shown = settled(people[1], server["id"])["addresses"]
    assert list(shown) == ["n"] and len(shown["n"]) == 1
    for port in (forged, same):
        assert people[1]("compute", "DELETE", f"/v2.1/servers/{server['id']}/os-interface/{port}")[0] == 404
        cloud.client.call("network", "DELETE", f"/ports/{port}")


def test_a_deleted_images_id_is_not_taken_again(people):
    carol, dave = people
    mine = image(carol)
    assert carol("image", "DELETE", f"/v2/images/{mine}")[0] == 204
    for wanted in (mine, mine.upper()):
        for who in (dave, carol):
            status, text = who("image", "POST", "/v2/images", {"id": wanted, "name": "i", "disk_format": "raw",
                                                               "container_format": "bare"})
            assert status == 409, text


def test_a_private_volume_type_is_an_admins(cloud, people):
    kind = cloud.client.call("volume", "POST", "/types", {"volume_type": {
        "name": "hidden", "os-volume-type-access:is_public": False}})["volume_type"]["id"]
    for wanted in (kind, "hidden"):
        status, text = people[1]("volume", "POST", "/v3/volumes", {"volume": {"size": 1, "volume_type": wanted}})
        assert status == 404, text
    for where in (f"/v3/types/{kind}", f"/v3/types/{kind}/extra_specs"):
        assert people[1]("volume", "GET", where)[0] == 404
    cloud.client.call("volume", "DELETE", f"/types/{kind}")


@pytest.mark.parametrize("counts", [{"max_count": 1000000000}, {"max_count": 30000}, {"min_count": 1, "max_count": "2000000000"},
                                    {"max_count": 10 ** 400}, {"min_count": 10 ** 9}, {"min_count": 999, "max_count": 999}])
@pytest.mark.alone
def test_a_number_alone_costs_nothing(people, server, counts):
    started = time.monotonic()
    status, text = boot(people[1], imageRef=server["image"], **counts)
    assert status in (202, 400, 403), text
    assert time.monotonic() - started < 2
    if status == 202:
        for each in json.loads(people[1]("compute", "GET", "/v2.1/servers")[1])["servers"]:
            if each["id"] != server["id"]:
                people[1]("compute", "DELETE", f"/v2.1/servers/{each['id']}")
        deadline = time.monotonic() + 20
        while len(json.loads(people[1]("compute", "GET", "/v2.1/servers")[1])["servers"]) > 1:
            assert time.monotonic() < deadline
            time.sleep(0.1)


@pytest.mark.parametrize("hints", [{"same_host": 5}, {"same_host": [5]}, {"different_host": {"a": 1}}, {"group": 7},
                                   {"group": "x"}, {"same_host": ["x"] * 3}, {"same_host": "\ud800"}, {"hosts": 5},
                                   {"query": ["="] * 3}, {"same_host": [FAR] * 1000}, {"odd": {"deep": {}}}])
def test_hints_of_the_wrong_kind(people, server, hints):
    body = {"server": {"name": "s", "flavorRef": "42", "networks": "none", "imageRef": server["image"]}}
    for found in ({**body, "os:scheduler_hints": hints}, {"server": {**body["server"], "OS-SCH-HNT:scheduler_hints": hints}}):
        status, text = people[1]("compute", "POST", "/v2.1/servers", found, version="compute 2.67")
        assert status == 400, text


def test_a_host_is_not_asked_for_by_a_hint(people, server):
    body = {"server": {"name": "s", "flavorRef": "42", "networks": "none", "imageRef": server["image"]},
            "os:scheduler_hints": {"hosts": ["*"]}}
    assert people[1]("compute", "POST", "/v2.1/servers", body, version="compute 2.67")[0] == 403


@pytest.mark.parametrize("name", ["a?" * 120 + "b", "a?" * 20 + "a" * 20])
@pytest.mark.alone
def test_a_name_filter_keeps_nobody_busy(people, name):
    started = time.monotonic()
    assert people[1]("compute", "GET", f"/v2.1/servers?name={name}")[0] in (200, 400)
    assert time.monotonic() - started < 1


def test_a_network_is_the_same_however_its_id_is_written(cloud, people, server):
    """A database that compares without regard to case found it, and the answer was 500."""
    for written in (server["network"].upper(), server["network"].replace("-", "")):
        status, text = boot(people[1], imageRef=server["image"], networks=[{"uuid": written}])
        assert status == 202, text
        status, text = people[1]("compute", "POST", f"/v2.1/servers/{server['id']}/os-interface",
                                 {"interfaceAttachment": {"net_id": written}})
        assert status == 200, text
