"""Volumes that several servers use at once."""

import pytest

from common.periodic import wait_for
from deploy.audit import Auditor
from tests.conftest import new_volume, volume_status
from tests.functional.test_stories import active_server, refused, server_body, wait_gone, wait_status

VERSION = "2.60"
TYPE = "shared"


def call(cloud, method, path, body=None, version=VERSION):
    return cloud.client.call("compute", method, path, body, version=version)


@pytest.fixture(scope="module", autouse=True)
def kind(cloud):
    made = cloud.client.call("volume", "POST", "/types", {"volume_type": {"name": TYPE}})["volume_type"]["id"]
    cloud.client.call("volume", "POST", f"/types/{made}/extra_specs", {"extra_specs": {"multiattach": "<is> True"}})
    return made


@pytest.fixture
def volume(cloud):
    made = new_volume(cloud.client, "shared", volume_type=TYPE)
    yield made
    wait_for(lambda: volume_status(cloud.client, made) == "available", 20, what="the volume to be free")
    cloud.client.call("volume", "DELETE", f"/volumes/{made}")


@pytest.fixture(scope="module")
def servers(cloud):
    with active_server(cloud.client, "one") as one, active_server(cloud.client, "two") as two:
        yield one, two


def attach(cloud, server: str, volume: str, version: str = VERSION, **values) -> dict:
    made = call(cloud, "POST", f"/servers/{server}/os-volume_attachments", {
        "volumeAttachment": {"volumeId": volume, **values}}, version)["volumeAttachment"]
    wait_for(lambda: volume_status(cloud.client, volume) == "in-use", 20, what="the volume to be attached")
    return made


def detach(cloud, server: str, volume: str) -> None:
    call(cloud, "DELETE", f"/servers/{server}/os-volume_attachments/{volume}")
    wait_for(lambda: server not in users(cloud, volume) and volume_status(cloud.client, volume) in ("in-use", "available"), 20,
             what="the volume to be detached")


def users(cloud, volume: str) -> set[str]:
    found = cloud.client.call("volume", "GET", f"/volumes/{volume}")["volume"]
    return {a["server_id"] for a in found["attachments"]}


def test_the_type_makes_volumes_multiattach(cloud, volume):
    plain = new_volume(cloud.client, "plain")
    shown = {v["id"]: v["multiattach"] for v in cloud.client.call("volume", "GET", "/volumes/detail")["volumes"]}
    assert shown[volume] is True and shown[plain] is False
    listed = cloud.client.call("volume", "GET", "/volumes/detail?multiattach=true")["volumes"]
    assert [v["id"] for v in listed] == [volume]
    text = refused(400, cloud.client, "volume", "POST", "/volumes", {"volume": {"size": 1, "multiattach": True}})
    assert "multiattach parameter has been removed" in text
    cloud.client.call("volume", "DELETE", f"/volumes/{plain}")


def test_two_servers_use_one_volume(cloud, servers, volume):
    one, two = servers
    path = f"/servers/{two}/os-volume_attachments"
    text = refused(400, cloud.client, "compute", "POST", path, {"volumeAttachment": {"volumeId": volume}}, version="2.59")
    assert "Multiattach volumes are only supported starting with compute API version 2.60" in text
    attach(cloud, one, volume)
    assert users(cloud, volume) == {one}
    # The volume is in use before and after, so that its status must change within the request.
    attach(cloud, two, volume)
    assert users(cloud, volume) == {one, two}
    text = refused(400, cloud.client, "compute", "POST", path, {"volumeAttachment": {"volumeId": volume}}, version=VERSION)
    assert "already attached" in text
    for server in servers:
        assert [a["volumeId"] for a in call(cloud, "GET", f"/servers/{server}/os-volume_attachments")["volumeAttachments"]] == [
            volume]
    text = refused(400, cloud.client, "volume", "POST", f"/volumes/{volume}/action", {"os-extend": {"new_size": 2}})
    assert "several servers" in text
    refused(400, cloud.client, "volume", "DELETE", f"/volumes/{volume}")
    assert not Auditor(cloud.state).run()
    detach(cloud, one, volume)
    assert users(cloud, volume) == {two} and volume_status(cloud.client, volume) == "in-use"
    attach(cloud, one, volume)
    detach(cloud, two, volume)
    assert users(cloud, volume) == {one}
    detach(cloud, one, volume)
    assert volume_status(cloud.client, volume) == "available"


def test_a_plain_volume_is_of_one_server(cloud, servers):
    one, two = servers
    plain = new_volume(cloud.client, "plain")
    attach(cloud, one, plain)
    refused(400, cloud.client, "compute", "POST", f"/servers/{two}/os-volume_attachments",
            {"volumeAttachment": {"volumeId": plain}}, version=VERSION)
    detach(cloud, one, plain)
    cloud.client.call("volume", "DELETE", f"/volumes/{plain}")


def test_what_is_in_progress_refuses_more(cloud, servers, volume):
    one, two = servers
    attach(cloud, one, volume)
    cloud.client.call("volume", "POST", f"/volumes/{volume}/action", {"os-begin_detaching": {}})
    for method, path, body in (("POST", f"/servers/{two}/os-volume_attachments", {"volumeAttachment": {"volumeId": volume}}),
                               ("DELETE", f"/servers/{one}/os-volume_attachments/{volume}", None)):
        refused(400, cloud.client, "compute", method, path, body, version=VERSION)
    assert not call(cloud, "GET", f"/servers/{two}/os-volume_attachments")["volumeAttachments"]
    cloud.client.call("volume", "POST", f"/volumes/{volume}/action", {"os-roll_detaching": {}})
    attach(cloud, two, volume)
    for server in servers:
        detach(cloud, server, volume)


def test_servers_boot_with_a_volume_that_is_in_use(cloud, servers, volume):
    attach(cloud, servers[0], volume)
    mapping = [{"source_type": "image", "destination_type": "local", "boot_index": 0,
                "uuid": cloud.client.find("image", "images", "cirros")["id"]},
               {"source_type": "volume", "destination_type": "volume", "uuid": volume, "delete_on_termination": True}]
    body = server_body(cloud.client, "born", block_device_mapping_v2=mapping)
    text = refused(400, cloud.client, "compute", "POST", "/servers", body, version="2.59")
    assert "2.60" in text
    made = call(cloud, "POST", "/servers", body)["server"]["id"]
    wait_status(cloud.client, made)
    assert users(cloud, volume) == {servers[0], made}
    call(cloud, "DELETE", f"/servers/{made}")
    wait_gone(cloud.client, made)
    # It would have gone with its server, but the other one uses it.
    wait_for(lambda: users(cloud, volume) == {servers[0]}, 20, what="one server to be left")
    assert volume_status(cloud.client, volume) == "in-use"
    detach(cloud, servers[0], volume)


def test_a_volume_is_swapped_by_migrations_of_volumes_alone(cloud, servers):
    """Which there are none of. The volumes stay as they are."""
    volume, other = new_volume(cloud.client, "old"), new_volume(cloud.client, "new")
    attach(cloud, servers[0], volume)
    path = f"/servers/{servers[0]}/os-volume_attachments"
    for version in ("2.1", "2.85"):
        text = refused(409, cloud.client, "compute", "PUT", f"{path}/{volume}", {"volumeAttachment": {"volumeId": other}},
                       version=version)
        assert f"volume {volume} is not migrating" in text
    refused(409, cloud.client, "compute", "PUT", f"{path}/{volume}", {"volumeAttachment": {
        "volumeId": other, "delete_on_termination": True}}, version="2.85")
    shown = cloud.client.call("compute", "GET", f"{path}/{volume}", version="2.85")["volumeAttachment"]
    assert not shown["delete_on_termination"], "a refused request has changed something"
    refused(404, cloud.client, "compute", "PUT", f"{path}/{other}", {"volumeAttachment": {"volumeId": volume}}, version="2.1")
    refused(400, cloud.client, "compute", "PUT", f"{path}/{volume}", {"volumeAttachment": {
        "volumeId": volume, "delete_on_termination": True}}, version="2.84")
    assert [a["volumeId"] for a in call(cloud, "GET", path)["volumeAttachments"]] == [volume]
    assert (volume_status(cloud.client, volume), volume_status(cloud.client, other)) == ("in-use", "available")
    detach(cloud, servers[0], volume)
    for each in (volume, other):
        cloud.client.call("volume", "DELETE", f"/volumes/{each}")
