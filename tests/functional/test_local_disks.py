"""Ephemeral and swap disks of servers, from the flavor or as the request asks."""

import pytest

from common.periodic import wait_for
from tests.conftest import new_volume, volume_status
from tests.functional.test_stories import refused, server_body, wait_gone, wait_status


@pytest.fixture(scope="module")
def flavor(cloud):
    body = {"name": "disks", "ram": 64, "vcpus": 1, "disk": 1, "swap": 1536, "OS-FLV-EXT-DATA:ephemeral": 10}
    made = cloud.client.call("compute", "POST", "/flavors", {"flavor": body})["flavor"]["id"]
    yield made
    cloud.client.call("compute", "DELETE", f"/flavors/{made}")


def used_gb(client) -> int:
    return client.call("compute", "GET", "/os-hypervisors/statistics", version="2.1")["hypervisor_statistics"]["local_gb_used"]


def _local(size=None, kind=None) -> dict:
    return {"source_type": "blank", "destination_type": "local", "boot_index": -1, "volume_size": size,
            "delete_on_termination": True, **({"guest_format": kind} if kind else {})}


def test_volumes_come_after_them_and_the_host_is_charged_for_them(cloud, flavor):
    client, before = cloud.client, used_gb(cloud.client)
    volume = {"source_type": "blank", "destination_type": "volume", "volume_size": 1, "boot_index": -1,
              "delete_on_termination": True}
    made = client.call("compute", "POST", "/servers", server_body(
        client, "with-disks", flavorRef=flavor, block_device_mapping_v2=[volume]))["server"]["id"]
    shown = wait_status(client, made)
    assert [a["device"] for a in client.call("compute", "GET", f"/servers/{made}/os-volume_attachments")["volumeAttachments"]
            ] == ["/dev/vdd"]
    assert used_gb(client) - before == 1 + 10 + 2  # root, ephemeral, swap as whole GiB
    assert len(shown["os-extended-volumes:volumes_attached"]) == 1
    other, where = new_volume(client, "later"), f"/servers/{made}/os-volume_attachments"
    for taken in ("vdb", "/dev/vdc"):
        refused(409, client, "compute", "POST", where, {"volumeAttachment": {"volumeId": other, "device": taken}})
    attached = client.call("compute", "POST", where, {"volumeAttachment": {"volumeId": other}})["volumeAttachment"]
    assert attached["device"] == "/dev/vde"
    wait_for(lambda: volume_status(client, other) == "in-use", 20, what="the volume")
    client.call("compute", "DELETE", f"/servers/{made}")
    wait_gone(client, made)
    wait_for(lambda: volume_status(client, other) == "available", 20, what="the volume")
    client.call("volume", "DELETE", f"/volumes/{other}")
    assert used_gb(client) == before


def test_disks_that_a_request_asks_for(cloud, flavor):
    client = cloud.client
    for asked, says in (([_local(11)], "Ephemeral disks requested are larger than the instance type allows."),
                        ([_local(1, "swap"), _local(1, "swap")], "More than one swap drive requested."),
                        ([_local(1537, "swap")], "Swap drive requested is larger than instance type allows."),
                        ([_local(1), _local(1)], "more local devices than the limit"), ([_local(1, "befs")], "befs")):
        text = refused(400, client, "compute", "POST", "/servers", server_body(
            client, "too-much", flavorRef=flavor, block_device_mapping_v2=asked))
        assert says in text
    asked = [_local(3, "ext3"), _local(7), _local(0, "swap")]
    made = client.call("compute", "POST", "/servers", server_body(
        client, "two", flavorRef=flavor, block_device_mapping_v2=asked))["server"]["id"]
    wait_status(client, made)
    volume = new_volume(client, "after-two")
    attached = client.call("compute", "POST", f"/servers/{made}/os-volume_attachments", {
        "volumeAttachment": {"volumeId": volume}})
    assert attached["volumeAttachment"]["device"] == "/dev/vdd"
    wait_for(lambda: volume_status(client, volume) == "in-use", 20, what="the volume")
    client.call("compute", "DELETE", f"/servers/{made}")
    wait_gone(client, made)
    wait_for(lambda: volume_status(client, volume) == "available", 20, what="the volume")
    client.call("volume", "DELETE", f"/volumes/{volume}")


def test_a_flavor_with_a_smaller_ephemeral_disk_is_no_flavor_to_resize_to(cloud, flavor):
    client = cloud.client
    made = client.call("compute", "POST", "/servers", server_body(client, "shrink", flavorRef=flavor))["server"]["id"]
    wait_status(client, made)
    text = refused(400, client, "compute", "POST", f"/servers/{made}/action", {"resize": {"flavorRef": "1"}})
    assert "smaller disk is not allowed" in text
    client.call("compute", "DELETE", f"/servers/{made}")
    wait_gone(client, made)
