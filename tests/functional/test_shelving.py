"""Shelved servers as the API has them: what they keep, what may be done to them, and what is left when they are gone."""

import contextlib

import pytest

from common.periodic import wait_for
from tests.functional.test_stories import active_server, network_id, refused, server_body, wait_gone, wait_status

NOVA = "2.77"


def act(client, server: str, action: str, arguments=None, **more):
    return client.call("compute", "POST", f"/servers/{server}/action", {action: arguments}, **more)


def images_of(client, name: str) -> list[dict]:
    return client.call("image", "GET", f"/images?name={name}-shelved")["images"]


def volume_status(client, volume: str) -> str:
    return client.call("volume", "GET", f"/volumes/{volume}")["volume"]["status"]


def attach(client, server: str, volume: str) -> None:
    client.call("compute", "POST", f"/servers/{server}/os-volume_attachments", {"volumeAttachment": {"volumeId": volume}})


def shelved(client, server: str) -> dict:
    act(client, server, "shelve")
    return wait_status(client, server, "SHELVED_OFFLOADED")


@contextlib.contextmanager
def new_volume(client, **more):
    made = client.call("volume", "POST", "/volumes", {"volume": {"size": 1, **more}})["volume"]["id"]
    wait_for(lambda: volume_status(client, made) == "available", 30, what="the volume")
    yield made
    wait_for(lambda: volume_status(client, made) == "available", 30, what="the volume to be free")
    client.call("volume", "DELETE", f"/volumes/{made}")


@pytest.fixture
def server(cloud):
    with active_server(cloud.client, "put-away") as made:
        yield made


def used(client) -> tuple:
    found = client.call("compute", "GET", "/os-hypervisors/statistics")["hypervisor_statistics"]
    return found["vcpus_used"], found["memory_mb_used"], found["running_vms"]


def test_a_shelved_server_keeps_what_is_its_own_and_gives_back_its_host(cloud, server):
    client = cloud.client
    before, addresses = used(client), client.call("compute", "GET", f"/servers/{server}")["server"]["addresses"]
    with new_volume(client) as volume:
        attach(client, server, volume)
        wait_for(lambda: volume_status(client, volume) == "in-use", 30, what="the attached volume")
        shown = shelved(client, server)
        assert (shown["OS-EXT-STS:vm_state"], shown["OS-EXT-SRV-ATTR:host"], shown["hostId"]) == ("shelved_offloaded", None, "")
        assert shown["addresses"] == addresses and volume_status(client, volume) == "reserved"
        assert used(client)[2] == before[2] - 1 and used(client)[0] < before[0]
        port, = client.call("network", "GET", f"/ports?device_id={server}")["ports"]
        assert not port["binding:host_id"] and port["device_owner"] == "compute:nova"
        image, = images_of(client, "put-away")
        assert (image["status"], image["image_type"], image["instance_uuid"]) == ("active", "snapshot", server)
        act(client, server, "unshelve")
        shown = wait_status(client, server)
        assert shown["addresses"] == addresses and shown["OS-EXT-SRV-ATTR:host"] and used(client) == before
        wait_for(lambda: volume_status(client, volume) == "in-use", 30, what="the attached volume")
        wait_for(lambda: not images_of(client, "put-away"), 30, what="the image to go")
        client.call("compute", "DELETE", f"/servers/{server}/os-volume_attachments/{volume}")
    done = [a["action"] for a in client.call("compute", "GET", f"/servers/{server}/os-instance-actions")["instanceActions"]]
    assert {"shelve", "unshelve"} <= set(done)


def test_what_a_shelved_server_refuses(cloud, member, server):
    client, path = cloud.client, f"/servers/{server}/action"
    assert "vm_state active" in refused(409, client, "compute", "POST", path, {"unshelve": None})
    assert "vm_state active" in refused(409, client, "compute", "POST", path, {"shelveOffload": None})
    refused(404, member, "compute", "POST", path, {"shelve": None})
    shelved(client, server)
    for action in ("shelve", "os-start", "os-stop", "pause", "createImage", "resize", "migrate"):
        arguments = {"createImage": {"name": "x"}, "resize": {"flavorRef": "2"}}.get(action)
        text = refused(409, client, "compute", "POST", path, {action: arguments})
        assert "while it is in vm_state shelved_offloaded" in text
    text = refused(409, client, "compute", "POST", path, {"os-resetState": {"state": "active"}})
    assert "no host has its disk" in text
    assert len(images_of(client, "put-away")) == 1, "no image is made for what is refused"
    for body in ({}, {"availability_zone": None}, {"zone": "nova"}):
        refused(400, client, "compute", "POST", path, {"unshelve": body}, version=NOVA)
    assert "not available" in refused(400, client, "compute", "POST", path, {"unshelve": {"availability_zone": "moon"}},
                                      version=NOVA)
    act(client, server, "unshelve", {"availability_zone": "nova"}, version=NOVA)
    assert wait_status(client, server)["OS-EXT-AZ:availability_zone"] == "nova"


def test_a_server_is_unshelved_to_a_host(cloud, member, server):
    client, path = cloud.client, f"/servers/{server}/action"
    shelved(client, server)
    host = client.call("compute", "GET", "/os-services?binary=nova-compute")["services"][0]["host"]
    refused(400, client, "compute", "POST", path, {"unshelve": {"host": host}}, version="2.90")
    text = refused(400, client, "compute", "POST", path, {"unshelve": {"host": "nowhere"}}, version="2.91")
    assert "Compute host nowhere could not be found." in text
    act(client, server, "unshelve", {"host": host, "availability_zone": None}, version="2.91")
    assert wait_status(client, server)["OS-EXT-SRV-ATTR:host"] == host
    refused(404, member, "compute", "POST", path, {"unshelve": {"host": host}}, version="2.91")


def test_volumes_of_a_shelved_server_are_attached_and_detached(cloud, server):
    client = cloud.client
    with new_volume(client) as kept, new_volume(client) as other:
        shelved(client, server)
        for volume in (kept, other):
            attach(client, server, volume)
            assert volume_status(client, volume) == "in-use"
        client.call("compute", "DELETE", f"/servers/{server}/os-volume_attachments/{other}")
        assert volume_status(client, other) == "available"
        act(client, server, "unshelve")
        wait_status(client, server)
        assert (volume_status(client, kept), volume_status(client, other)) == ("in-use", "available")
        client.call("compute", "DELETE", f"/servers/{server}/os-volume_attachments/{kept}")
        wait_for(lambda: volume_status(client, kept) == "available", 30, what="the detached volume")


@pytest.mark.parametrize("offloaded", [False, True])
def test_a_deleted_server_leaves_nothing(cloud, offloaded):
    """At whatever step of its shelving, or shelved."""
    client = cloud.client
    made = client.call("compute", "POST", "/servers", server_body(client, "dropped"))["server"]["id"]
    wait_status(client, made)
    act(client, made, "shelve")
    if offloaded:
        wait_status(client, made, "SHELVED_OFFLOADED")
    client.call("compute", "DELETE", f"/servers/{made}")
    wait_gone(client, made)
    wait_for(lambda: not images_of(client, "dropped"), 30, what="the image to go")
    assert client.call("network", "GET", f"/ports?device_id={made}")["ports"] == []


def test_a_server_that_boots_from_a_volume_needs_no_image(cloud):
    client = cloud.client
    image = client.find("image", "images", "cirros")["id"]
    body = {"server": {"name": "of-volume", "flavorRef": "42", "networks": [{"uuid": network_id(client)}],
                       "block_device_mapping_v2": [{"boot_index": 0, "uuid": image, "source_type": "image", "volume_size": 1,
                                                    "destination_type": "volume", "delete_on_termination": True}]}}
    made = client.call("compute", "POST", "/servers", body)["server"]["id"]
    wait_status(client, made)
    volume = client.call("compute", "GET", f"/servers/{made}/os-volume_attachments")["volumeAttachments"][0]["volumeId"]
    for _ in range(2):
        assert shelved(client, made)["OS-EXT-STS:vm_state"] == "shelved_offloaded" and images_of(client, "of-volume") == []
        assert volume_status(client, volume) == "reserved"
        act(client, made, "unshelve")
        wait_status(client, made)
        assert volume_status(client, volume) == "in-use"
    shelved(client, made)
    client.call("compute", "DELETE", f"/servers/{made}")
    wait_gone(client, made)
    wait_for(lambda: all(v["id"] != volume for v in client.call("volume", "GET", "/volumes")["volumes"]), 30,
             what="the volume to go")
