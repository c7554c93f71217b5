"""Uploads of volumes to images, as Cinder's API and OpenStack's command have them."""

import hashlib
import json
import pathlib
import subprocess
import sys

import pytest

from common.periodic import wait_for
from tests.conftest import new_member, new_volume, volume_status
from tests.functional.test_stories import server_body, wait_gone, wait_status

OPENSTACK = pathlib.Path(sys.executable).parent / "openstack"
UPLOAD = "os-volume_upload_image"


@pytest.fixture(scope="module")
def owner(cloud):
    return new_member(cloud)


@pytest.fixture
def volume(owner):
    made = new_volume(owner, "uploaded", description="with a text")
    yield made
    wait_for(lambda: volume_status(owner, made) == "available", 20, what="the volume")
    owner.call("volume", "DELETE", f"/volumes/{made}")
    wait_for(lambda: made not in str(owner.call("volume", "GET", "/volumes")), 20, what="the volume to go")


def upload(client, volume: str, version: str = "3.68", **arguments) -> tuple[int, str]:
    answer = client.pool.request("POST", client.url("volume") + f"/volumes/{volume}/action", headers={
        "X-Auth-Token": client.token, "Content-Type": "application/json", "OpenStack-API-Version": f"volume {version}"},
        body=json.dumps({UPLOAD: arguments}))
    return answer.status, answer.data.decode()


def until_active(client, image: str) -> dict:
    wait_for(lambda: client.call("image", "GET", f"/images/{image}")["status"] == "active", 20, what="the image")
    return client.call("image", "GET", f"/images/{image}")


def delete(client, image: dict) -> None:
    if image["protected"]:
        client.call("image", "PATCH", f"/images/{image['id']}", [{"op": "replace", "path": "/protected", "value": False}],
                    content_type="application/openstack-images-v2.1-json-patch")
    client.call("image", "DELETE", f"/images/{image['id']}")


def test_an_image_of_a_volume(owner, volume):
    metadata = {"hw_disk_bus": "scsi", "os_type": "linux", "image_name": "old", "min_disk": "7", "owner": "else", "id": "else",
                "os_glance_x": "y", "img_signature": "z"}
    owner.call("volume", "POST", f"/volumes/{volume}/action", {"os-set_image_metadata": {"metadata": metadata}})
    status, text = upload(owner, volume, image_name="first", protected=True)
    answer = json.loads(text)[UPLOAD]
    assert status == 202 and set(answer) == {
        "id", "updated_at", "status", "display_description", "size", "volume_type", "image_id", "container_format", "disk_format",
        "image_name", "visibility", "protected"}
    assert [answer[k] for k in ("id", "status", "display_description", "size", "container_format", "disk_format", "image_name",
                                "visibility", "protected")] == [
        volume, "uploading", "with a text", 1, "bare", "raw", "first", "private", True]
    assert answer["volume_type"]["name"] == "__DEFAULT__" and answer["updated_at"]
    image = until_active(owner, answer["image_id"])
    assert (image["owner"], image["name"], image["visibility"], image["protected"], image["min_disk"]) == (
        owner.project_id, "first", "private", True, 0)
    assert (image["hw_disk_bus"], image["os_type"]) == ("scsi", "linux")
    assert not {"os_glance_x", "img_signature", "image_name"} & set(image)
    where = owner.url("image") + f"/images/{image['id']}/file"
    data = owner.pool.request("GET", where, headers={"X-Auth-Token": owner.token}).data
    assert len(data) == image["size"] and hashlib.sha512(data).hexdigest() == image["os_hash_value"]
    wait_for(lambda: volume_status(owner, volume) == "available", 20, what="the volume")
    delete(owner, image)


@pytest.mark.parametrize("disk_format", ["qcow2", "vmdk", "vdi", "vhd", "vhdx", "ploop"])
def test_each_format(owner, volume, disk_format):
    status, text = upload(owner, volume, image_name="of-a-format", disk_format=disk_format, container_format=None,
                          force="False")
    assert status == 202
    image = until_active(owner, json.loads(text)[UPLOAD]["image_id"])
    assert (image["disk_format"], image["container_format"], image["virtual_size"] or 1 << 20) == (disk_format, "bare", 1 << 20)
    delete(owner, image)


def test_who_sees_it_may_be_said_since_3_1(owner, volume):
    for name, value in (("visibility", "private"), ("protected", False)):
        status, text = upload(owner, volume, "3.0", image_name="early", **{name: value})
        assert status == 400 and f"'{name}' was unexpected" in text
    status, text = upload(owner, volume, "3.0", image_name="early")
    assert status == 202 and json.loads(text)[UPLOAD]["visibility"] == "shared"
    delete(owner, until_active(owner, json.loads(text)[UPLOAD]["image_id"]))


def test_what_is_refused_leaves_no_image(cloud, owner, volume):
    before = owner.call("image", "GET", "/images?owner=" + owner.project_id)["images"]
    for wrong in ({}, {"image_name": ""}, {"image_name": "x", "disk_format": "iso"}, {"image_name": "x", "force": "perhaps"},
                  {"image_name": "x", "visibility": "hidden"}, {"image_name": "x", "more": 1},
                  {"image_name": "x", "container_format": "compressed"}):
        assert upload(owner, volume, **wrong)[0] == 400, wrong
    status, text = upload(owner, volume, image_name="x", visibility="public")
    assert status == 403 and "volume_extension:volume_actions:upload_public" in text
    assert upload(owner, before[0]["id"] if before else owner.project_id, image_name="x")[0] == 404
    owner.call("volume", "POST", "/attachments", {"attachment": {"volume_uuid": volume}}, version="3.44")
    status, text = upload(owner, volume, image_name="x", force=True)
    assert status == 400 and f"Invalid volume: Volume {volume} status must be available" in text
    (held,) = owner.call("volume", "GET", f"/attachments?volume_id={volume}", version="3.44")["attachments"]
    owner.call("volume", "DELETE", f"/attachments/{held['id']}", version="3.44")
    assert volume_status(owner, volume) == "available"
    assert owner.call("image", "GET", "/images?owner=" + owner.project_id)["images"] == before


def test_force_counts_only_where_the_operator_says_so(cloud):
    """As in Cinder it is ignored otherwise."""
    volume = new_volume(cloud.client, "in use")
    server = cloud.client.call("compute", "POST", "/servers", server_body(cloud.client, "user"))["server"]["id"]
    wait_status(cloud.client, server)
    cloud.client.call("compute", "POST", f"/servers/{server}/os-volume_attachments", {"volumeAttachment": {"volumeId": volume}})
    wait_for(lambda: volume_status(cloud.client, volume) == "in-use", 20, what="the volume in use")
    status, text = upload(cloud.client, volume, image_name="x", force=True)
    assert status == 400 and "status must be available" in text and volume_status(cloud.client, volume) == "in-use"
    cloud.client.call("compute", "DELETE", f"/servers/{server}")
    wait_gone(cloud.client, server)


def test_openstacks_command(cloud):
    volume = new_volume(cloud.client, "by command")
    words = [OPENSTACK, "image", "create", "--volume", "by command", "--disk-format", "qcow2", "--public", "-f", "json",
             "of command"]
    done = subprocess.run(words, env=cloud.environment(), capture_output=True, text=True, timeout=180)
    assert done.returncode == 0, done.stderr
    shown = json.loads(done.stdout)
    assert (shown["image_name"], shown["volume_type"], shown["visibility"]) == ("of command", "__DEFAULT__", "public")
    image = until_active(cloud.client, shown["image_id"])
    wait_for(lambda: volume_status(cloud.client, volume) == "available", 20, what="the volume")
    delete(cloud.client, image)
