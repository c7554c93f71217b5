"""What requests to the compute API may name, and what they are answered where they may not."""

import pytest

from common.periodic import wait_for
from tests.conftest import new_volume, volume_status
from tests.functional.test_stories import active_server, refused, server_body, wait_gone, wait_status
from tests.tenancy.compute import KEY


@pytest.fixture(scope="module")
def server(cloud):
    with active_server(cloud.client, "requests") as made:
        yield made


# The same in every process: the workers of pytest-xdist must find the same tests.
NOTHING = "00000000-0000-4000-8000-000000000000"


def _of_volume(**device) -> dict:
    return {"imageRef": "", "block_device_mapping_v2": [{"destination_type": "volume", "boot_index": 0, **device}]}


_BLANK = {"source_type": "blank", "destination_type": "volume", "volume_size": 1, "boot_index": -1}


@pytest.mark.parametrize("more, says", [
    (_of_volume(source_type="snapshot", uuid=NOTHING), "failed to get snapshot"),
    (_of_volume(source_type="snapshot", uuid="x"), "failed to get snapshot"),
    (_of_volume(source_type="volume", uuid=NOTHING), "failed to get volume"),
    (_of_volume(source_type="image", uuid=NOTHING, volume_size=1), ""),
    (_of_volume(source_type="blank", volume_size=1, boot_index=None, device_name="/dev/vd b"), "device_name"),
    (_of_volume(source_type="blank", volume_size=1, boot_index=None, device_name=""), "device_name"),
    ({"block_device_mapping_v2": [_BLANK, {**_BLANK, "boot_index": 3}]}, "Boot sequence"),
    ({"block_device_mapping_v2": [{**_BLANK, "disk_bus": "uml"}]}, "the disk bus uml is not one of"),
    ({"block_device_mapping_v2": [{**_BLANK, "disk_bus": "sata"}]}, "unless its image has hw_disk_bus=sata"),
    ({"block_device_mapping_v2": [{**_BLANK, "device_type": "cdrom"}]}, "the device type cdrom is not supported"),
    ({"block_device_mapping_v2": [{**_BLANK, "boot_index": 1}, {**_BLANK, "boot_index": 1}]}, "Boot sequence"),
    ({"key_name": ""}, "key_name")], ids=str)
def test_a_server_of_what_is_not_there(cloud, more, says):
    assert says in refused(400, cloud.client, "compute", "POST", "/servers", server_body(cloud.client, "of-nothing", **more))


def test_disks_are_on_the_buses_that_a_request_asks_for(cloud):
    client = cloud.client
    mapping = [{"source_type": "image", "uuid": client.find("image", "images", "cirros")["id"], "destination_type": "local",
                "boot_index": 0, "disk_bus": "scsi", "device_type": "disk"},
               {**_BLANK, "disk_bus": "virtio", "delete_on_termination": True}, {**_BLANK, "delete_on_termination": True}]
    made = client.call("compute", "POST", "/servers", server_body(
        client, "buses", block_device_mapping_v2=mapping))["server"]["id"]
    wait_status(client, made)
    shown = client.call("compute", "GET", f"/servers/{made}", version="2.3")["server"]
    held = client.call("compute", "GET", f"/servers/{made}/os-volume_attachments")["volumeAttachments"]
    assert shown["OS-EXT-SRV-ATTR:root_device_name"] == "/dev/sda"
    assert sorted(each["device"] for each in held) == ["/dev/sdb", "/dev/vdb"]
    client.call("compute", "POST", f"/servers/{made}/action", {"rebuild": {"imageRef": mapping[0]["uuid"]}})
    wait_status(client, made)
    shown = client.call("compute", "GET", f"/servers/{made}", version="2.3")["server"]
    assert shown["OS-EXT-SRV-ATTR:root_device_name"] == "/dev/sda", "it keeps its bus"
    client.call("compute", "DELETE", f"/servers/{made}")
    wait_gone(client, made)


def test_a_new_volume_of_a_type_that_is_not_there(cloud):
    device = _of_volume(source_type="blank", volume_size=1, boot_index=-1, volume_type="none")["block_device_mapping_v2"]
    refused(400, cloud.client, "compute", "POST", "/servers", server_body(
        cloud.client, "of-no-type", block_device_mapping_v2=device), version="2.67")


def test_a_security_group_whose_name_is_anothers_too(cloud, server):
    client, act = cloud.client, f"/servers/{server}/action"
    twins = [client.call("network", "POST", "/security-groups", {"security_group": {"name": "twin"}})["security_group"]["id"]
             for _ in range(2)]
    named_so = client.call("network", "POST", "/security-groups", {"security_group": {"name": twins[0]}})["security_group"]["id"]
    client.call("compute", "POST", act, {"addSecurityGroup": {"name": twins[0]}})
    for action in ("addSecurityGroup", "removeSecurityGroup"):
        refused(409, client, "compute", "POST", act, {action: {"name": "twin"}})
    held = client.call("compute", "GET", f"/servers/{server}/os-security-groups")["security_groups"]
    assert twins[0] in [g["id"] for g in held] and named_so not in [g["id"] for g in held]  # an id goes before a name
    client.call("compute", "POST", act, {"removeSecurityGroup": {"name": twins[0]}})
    for group in (*twins, named_so):
        client.call("network", "DELETE", f"/security-groups/{group}")


def test_a_security_group_of_a_server_without_interfaces(cloud):
    client = cloud.client
    alone = client.call("compute", "POST", "/servers", server_body(client, "alone", networks="none"))["server"]["id"]
    wait_status(client, alone)
    for action in ("addSecurityGroup", "removeSecurityGroup"):
        text = refused(404, client, "compute", "POST", f"/servers/{alone}/action", {action: {"name": "default"}})
        assert "could not be found as device id on any ports" in text
    client.call("compute", "DELETE", f"/servers/{alone}")
    wait_gone(client, alone)


def test_names_of_devices(cloud, server):
    client, where = cloud.client, f"/servers/{server}/os-volume_attachments"
    first, second = new_volume(client, "named"), new_volume(client, "other")

    def body(volume: str, device: str) -> dict:
        return {"volumeAttachment": {"volumeId": volume, "device": device}}
    for wrong in ("not a device!", "", "/dev/", "/dev/vd b", "/etc/passwd", "vdc;", "/dev/vdcc", "../vdc"):
        refused(400, client, "compute", "POST", where, body(first, wrong))
    for taken in ("/dev/vda", "vda", "sda1"):
        refused(409, client, "compute", "POST", where, body(first, taken))
    assert client.call("compute", "POST", where, body(first, "vdq"))["volumeAttachment"]["device"] == "/dev/vdq"
    wait_for(lambda: volume_status(client, first) == "in-use", 20, what="the volume")
    refused(409, client, "compute", "POST", where, body(second, "/dev/sdq"))
    assert client.call("compute", "POST", where, body(second, "/dev/xvdc"))["volumeAttachment"]["device"] == "/dev/vdc"
    for volume in (first, second):
        wait_for(lambda v=volume: volume_status(client, v) == "in-use", 20, what="the volume")
        client.call("compute", "DELETE", f"{where}/{volume}")
        wait_for(lambda v=volume: volume_status(client, v) == "available", 20, what="the volume")
        client.call("volume", "DELETE", f"/volumes/{volume}")


def test_quotas_of_classes(cloud, member):
    client, where = cloud.client, "/os-quota-class-sets/default"
    before = client.call("compute", "GET", where, version="2.1")["quota_class_set"]
    assert before["id"] == "default" and before["cores"] == 20 and before["floating_ips"] == -1 and "server_groups" not in before
    assert set(client.call("compute", "GET", where, version="2.57")["quota_class_set"]) == {
        "id", "instances", "cores", "ram", "metadata_items", "key_pairs", "server_groups", "server_group_members"}
    for wrong in ({"cores": -2}, {"cores": "x"}, {"cores": None}, {"none": 1}, {"id": "default"}):
        refused(400, client, "compute", "PUT", where, {"quota_class_set": wrong}, version="2.1")
    refused(400, client, "compute", "PUT", where, {"quota_class_set": {"floating_ips": -1}}, version="2.50")
    for method, body in (("GET", None), ("PUT", {"quota_class_set": {"cores": 1}})):
        refused(403, member, "compute", method, where, body)
    client.call("compute", "PUT", "/os-quota-class-sets/other", {"quota_class_set": {"cores": 3}})
    own = f"/os-quota-sets/{client.project_id}"
    client.call("compute", "PUT", own, {"quota_set": {"ram": 51201}})
    changed = client.call("compute", "PUT", where, {"quota_class_set": {"cores": "21", "ram": 51202}})["quota_class_set"]
    assert changed["cores"] == 21 and "id" not in changed
    for path in (own, own + "/defaults"):
        assert client.call("compute", "GET", path)["quota_set"]["cores"] == 21
    assert client.call("compute", "GET", own)["quota_set"]["ram"] == 51201  # its own goes before the class's
    assert member.call("compute", "GET", "/limits")["limits"]["absolute"]["maxTotalRAMSize"] == 51202
    assert client.call("compute", "GET", "/os-quota-class-sets/other")["quota_class_set"]["cores"] == 3
    client.call("compute", "DELETE", own)
    client.call("compute", "PUT", where, {"quota_class_set": {"cores": 20, "ram": 51200}})


def test_a_key_is_read_back_as_it_was_sent(cloud):
    """With its newline: Terraform and Ansible would otherwise make it anew each time."""
    client, sent = cloud.client, f"{KEY} me@host\n"
    assert client.call("compute", "POST", "/os-keypairs", {"keypair": {"name": "sent", "public_key": sent}})[
        "keypair"]["public_key"] == sent
    found = client.call("compute", "GET", "/os-keypairs/sent")["keypair"]
    assert found["public_key"] == sent
    client.call("compute", "DELETE", "/os-keypairs/sent")
    bare = client.call("compute", "POST", "/os-keypairs", {"keypair": {"name": "sent", "public_key": f" {KEY}"}})["keypair"]
    assert bare["fingerprint"] == found["fingerprint"]
    client.call("compute", "DELETE", "/os-keypairs/sent")
