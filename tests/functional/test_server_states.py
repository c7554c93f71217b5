"""A server paused, suspended, and kept as an image."""

import pytest

from common.periodic import wait_for
from tests.conftest import new_volume, volume_status
from tests.functional.test_stories import active_server, refused, server_body, wait_gone, wait_status


@pytest.fixture
def server(cloud):
    with active_server(cloud.client, "states") as made:
        yield made


def act(cloud, server, name, arguments=None):
    return cloud.client.call("compute", "POST", f"/servers/{server}/action", {name: arguments})


@pytest.mark.parametrize(("there", "state", "back"), [("pause", "PAUSED", "unpause"), ("suspend", "SUSPENDED", "resume")])
def test_there_and_back(cloud, server, there, state, back):
    refused(409, cloud.client, "compute", "POST", f"/servers/{server}/action", {back: None})
    act(cloud, server, there)
    shown = wait_status(cloud.client, server, state)
    assert shown["OS-EXT-STS:vm_state"] == state.lower() and shown["OS-EXT-STS:task_state"] is None
    assert server in [s["id"] for s in cloud.client.call("compute", "GET", f"/servers?status={state}")["servers"]]
    text = refused(409, cloud.client, "compute", "POST", f"/servers/{server}/action", {there: None})
    assert f"Cannot '{there}' instance {server} while it is in vm_state {state.lower()}" in text
    act(cloud, server, back)
    wait_status(cloud.client, server, "ACTIVE")
    act(cloud, server, there)
    wait_status(cloud.client, server, state)
    act(cloud, server, "reboot", {"type": "HARD"})
    wait_status(cloud.client, server, "ACTIVE")


def test_an_image_of_a_server(cloud, member, server):
    refused(404, member, "compute", "POST", f"/servers/{server}/action", {"createImage": {"name": "stolen"}})
    image = act(cloud, server, "createImage", {"name": "kept", "metadata": {"color": "blue"}})["image_id"]
    wait_for(lambda: cloud.client.call("image", "GET", f"/images/{image}")["status"] == "active", 20, what="the image")
    shown = cloud.client.call("image", "GET", f"/images/{image}")
    assert (shown["image_type"], shown["instance_uuid"], shown["color"]) == ("snapshot", server, "blue")
    wait_status(cloud.client, server)
    typed = act(cloud, server, "createImage", {"name": "typed", "metadata": {"image_type": "test"}})["image_id"]
    assert cloud.client.call("image", "GET", f"/images/{typed}")["image_type"] == "test"
    wait_status(cloud.client, server)
    assert (shown["disk_format"], shown["visibility"], shown["min_disk"]) == ("qcow2", "private", 1)
    assert wait_status(cloud.client, server)["OS-EXT-STS:task_state"] is None
    again = cloud.client.call("compute", "POST", "/servers", server_body(cloud.client, "again", imageRef=image))["server"]["id"]
    wait_status(cloud.client, again)
    cloud.client.call("compute", "DELETE", f"/servers/{again}")
    wait_gone(cloud.client, again)
    cloud.client.call("image", "DELETE", f"/images/{image}")


def test_an_image_that_is_deleted_meanwhile_frees_the_server(cloud, server):
    image = act(cloud, server, "createImage", {"name": "gone"})["image_id"]
    cloud.client.call("image", "DELETE", f"/images/{image}")
    wait_for(lambda: wait_status(cloud.client, server)["OS-EXT-STS:task_state"] is None, 20, what="the server to be free")


def test_volumes_stay_in_use_when_the_guest_is_built_anew(cloud, server):
    volume = new_volume(cloud.client, "kept")
    cloud.client.call("compute", "POST", f"/servers/{server}/os-volume_attachments", {"volumeAttachment": {"volumeId": volume}})
    wait_for(lambda: volume_status(cloud.client, volume) == "in-use", 20, what="the volume in use")
    image = cloud.client.find("image", "images", "cirros")["id"]
    for name, arguments in (("rebuild", {"imageRef": image}), ("reboot", {"type": "HARD"})):
        act(cloud, server, name, arguments)
        wait_status(cloud.client, server)
        (attachment,) = cloud.client.call("volume", "GET", f"/volumes/{volume}")["volume"]["attachments"]
        assert attachment["server_id"] == server
    cloud.client.call("compute", "DELETE", f"/servers/{server}/os-volume_attachments/{volume}")
    wait_for(lambda: volume_status(cloud.client, volume) == "available", 20, what="the volume back")
    cloud.client.call("volume", "DELETE", f"/volumes/{volume}")


def test_a_server_that_was_never_built_has_no_guest_to_change(cloud):
    vast = {"flavor": {"name": "vast", "ram": 64, "vcpus": 1, "disk": 1 << 24}}
    flavor = cloud.client.call("compute", "POST", "/flavors", vast)["flavor"]["id"]
    made = cloud.client.call("compute", "POST", "/servers", server_body(cloud.client, "vast", flavorRef=flavor))["server"]["id"]
    image = wait_status(cloud.client, made, "ERROR")["image"]["id"]
    for body in ({"rebuild": {"imageRef": image}}, {"rescue": None}, {"os-stop": None}, {"reboot": {"type": "HARD"}}):
        assert "was never built" in refused(409, cloud.client, "compute", "POST", f"/servers/{made}/action", body)
    assert cloud.client.call("compute", "GET", f"/servers/{made}")["server"]["status"] == "ERROR"
    cloud.client.call("compute", "DELETE", f"/servers/{made}")
    wait_gone(cloud.client, made)
    cloud.client.call("compute", "DELETE", f"/flavors/{flavor}")


def test_rebuild(cloud, member, server):
    client = cloud.client
    image = client.find("image", "images", "cirros")["id"]
    before = client.call("compute", "GET", f"/servers/{server}")["server"]
    path = f"/servers/{server}/action"
    refused(404, member, "compute", "POST", path, {"rebuild": {"imageRef": image}})
    refused(400, client, "compute", "POST", path, {"rebuild": {"imageRef": "0" * 8 + "-0000-4000-8000-" + "0" * 12}})
    refused(400, client, "compute", "POST", path, {"rebuild": {"imageRef": image, "personality": []}}, version="2.57")
    shown = client.call("compute", "POST", path, {"rebuild": {"imageRef": image, "name": "new", "metadata": {"a": "b"},
                                                              "adminPass": "secret"}})["server"]
    assert (shown["status"], shown["adminPass"], shown["name"], shown["metadata"]) == ("REBUILD", "secret", "new", {"a": "b"})
    after = wait_status(client, server)
    assert (after["addresses"], after["name"]) == (before["addresses"], "new")
    act(cloud, server, "os-stop")
    wait_status(client, server, "SHUTOFF")
    client.call("compute", "POST", path, {"rebuild": {"imageRef": image}})
    wait_status(client, server, "SHUTOFF")
    assert [a["action"] for a in client.call("compute", "GET", f"/servers/{server}/os-instance-actions")["instanceActions"]][
        :2] == ["rebuild", "stop"]
    act(cloud, server, "os-start")
    wait_status(client, server)


def test_rescue(cloud, member, server):
    client, path = cloud.client, f"/servers/{server}/action"
    refused(404, member, "compute", "POST", path, {"rescue": None})
    refused(409, client, "compute", "POST", path, {"unrescue": None})
    refused(400, client, "compute", "POST", path, {"rescue": {"rescue_image_ref": "nothing"}})
    assert act(cloud, server, "rescue", {"adminPass": "secret"}) == {"adminPass": "secret"}
    assert wait_status(client, server, "RESCUE")["OS-EXT-STS:vm_state"] == "rescued"
    volume = client.call("volume", "POST", "/volumes", {"volume": {"size": 1}})["volume"]["id"]
    wait_for(lambda: client.call("volume", "GET", f"/volumes/{volume}")["volume"]["status"] == "available", 10, what="it")
    attach = {"volumeAttachment": {"volumeId": volume}}
    refused(409, client, "compute", "POST", f"/servers/{server}/os-volume_attachments", attach)
    client.call("volume", "DELETE", f"/volumes/{volume}")
    act(cloud, server, "unrescue")
    wait_status(client, server)
