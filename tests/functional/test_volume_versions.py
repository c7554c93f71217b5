"""What changed between volume 3.44 and 3.68, and the actions that came with it."""

import json

import pytest

from common.periodic import wait_for
from deploy.prepare import ensure_secrets
from tests.conftest import login_as, new_volume
from tests.functional.test_stories import server_body, wait_gone, wait_status


@pytest.fixture
def at(cloud):
    def call(version, method, path, body=None, status=None, token=cloud.client.token):
        """JSON of an answer, or with ``status`` its text once it has that status."""
        response = cloud.client.pool.request(method, cloud.client.url("volume") + path, headers={
            "X-Auth-Token": token, "Content-Type": "application/json",
            "OpenStack-API-Version": f"volume {version}"}, body=json.dumps(body) if body is not None else None)
        assert response.status == (status or response.status) and (status or response.status < 400), response.data
        return response.data.decode() if status else json.loads(response.data or "null")
    return call


@pytest.fixture
def volume(cloud):
    made = new_volume(cloud.client, "versions")
    yield made
    cloud.client.call("volume", "DELETE", f"/volumes/{made}?cascade=true")
    wait_for(lambda: made not in str(cloud.client.call("volume", "GET", "/volumes")), 20, what="the volume to go")


def test_what_a_volume_shows(at, volume):
    old, new = at("3.44", "GET", f"/volumes/{volume}")["volume"], at("3.67", "GET", f"/volumes/{volume}")["volume"]
    assert set(new) - set(old) == {"shared_targets", "service_uuid", "cluster_name", "volume_type_id", "consumes_quota"}
    assert len(new["volume_type_id"]) == 36 and "count" not in at("3.44", "GET", "/volumes?with_count=true")
    page = at("3.45", "GET", "/volumes?with_count=true&limit=1")
    assert page["count"] >= 1 and len(page["volumes"]) == 1 and page["volumes_links"]
    at("3.53", "PUT", f"/volumes/{volume}", {"volume": {}}, status=400)
    assert at("3.49", "GET", "/os-services?binary=cinder-volume")["services"][0]["backend_state"] == "up"


def test_lists_by_time(at, volume):
    made = at("3.67", "GET", f"/volumes/{volume}")["volume"]["created_at"]
    for filters, found in ((f"created_at=eq:{made}", True), (f"created_at=gt:{made}", False), ("created_at=lt:2020-01-01", False),
                           ("created_at=gte:2020-01-01,lt:2999-01-01", True), ("consumes_quota=false", False)):
        assert (volume in str(at("3.65", "GET", f"/volumes?{filters}"))) is found, filters
    at("3.60", "GET", "/volumes?created_at=gt:tomorrow", status=400)


@pytest.fixture
def image_of(cloud):
    """Makes images of servers that boot from volumes, as compute does: one names a snapshot, and has no data that matters."""
    made: list[str] = []

    def make(mapping: str) -> str:
        made.append(cloud.client.call("image", "POST", "/images", {
            "name": "of-volume", "disk_format": "raw", "container_format": "bare", "block_device_mapping": mapping})["id"])
        cloud.client.call("image", "PUT", f"/images/{made[-1]}/file", raw=b"\0" * 512, content_type="application/octet-stream")
        return made[-1]
    yield make
    for each in made:
        cloud.client.call("image", "DELETE", f"/images/{each}")


def test_an_image_that_names_a_snapshot_stands_for_it_since_3_46(at, volume, cloud, image_of):
    snapshot = at("3.44", "POST", "/snapshots", {"snapshot": {"volume_id": volume}})["snapshot"]["id"]
    wait_for(lambda: at("3.44", "GET", f"/snapshots/{snapshot}")["snapshot"]["status"] == "available", 20, what="the snapshot")
    device = {"source_type": "snapshot", "destination_type": "volume", "snapshot_id": snapshot, "boot_index": 0}
    image = image_of(json.dumps([{**device, "snapshot_id": "no", "boot_index": 1}, device]))

    def create(version: str, **how) -> dict:
        made = at(version, "POST", "/volumes", {"volume": {"size": 1, "name": "of-image", "imageRef": image, **how}})["volume"]
        wait_for(lambda: at("3.44", "GET", f"/volumes/{made['id']}")["volume"]["status"] == "available", 20, what="the volume")
        cloud.client.call("volume", "DELETE", f"/volumes/{made['id']}")
        wait_for(lambda: made["id"] not in str(cloud.client.call("volume", "GET", "/volumes")), 20, what="the volume to go")
        return made
    assert (create("3.45")["snapshot_id"], create("3.46")["snapshot_id"]) == (None, snapshot)
    for more in ({"snapshot_id": snapshot}, {"source_volid": volume}):
        text = at("3.46", "POST", "/volumes", {"volume": {"size": 1, "imageRef": image, **more}}, status=400)
        assert "only one source" in text
    for mapping, status in ((json.dumps([{**device, "snapshot_id": "no"}]), 404), ("[1]", 400), ("[" * 60000, 400)):
        at("3.46", "POST", "/volumes", {"volume": {"size": 1, "imageRef": image_of(mapping)}}, status=status)


def test_snapshots(at, volume):
    at("3.66", "POST", "/snapshots", {"snapshot": {"volume_id": volume, "force": False}}, status=400)
    snapshot = at("3.66", "POST", "/snapshots", {"snapshot": {"volume_id": volume, "force": True}})["snapshot"]["id"]
    wait_for(lambda: at("3.65", "GET", f"/snapshots/{snapshot}")["snapshot"]["status"] == "available", 20, what="it")
    assert at("3.65", "GET", f"/snapshots/{snapshot}")["snapshot"]["consumes_quota"] is True
    assert at("3.45", "GET", "/snapshots?with_count=1")["count"] == 1
    at("3.65", "POST", f"/snapshots/{snapshot}/action", {"os-reset_status": {"status": "error"}}, status=202)


def test_types_by_extra_specs(at):
    made = at("3.52", "POST", "/types", {"volume_type": {"name": "spec", "extra_specs": {"color": "blue"}}})["volume_type"]["id"]
    found = at("3.52", "GET", "/types?extra_specs={'color':'blue'}")["volume_types"]
    assert [t["id"] for t in found] == [made] and at("3.52", "GET", "/types?extra_specs={'color':'red'}")["volume_types"] == []
    at("3.52", "GET", "/types?extra_specs=blue", status=400)
    at("3.52", "DELETE", f"/types/{made}", status=202)


def test_image_metadata(at, volume):
    path = f"/volumes/{volume}/action"
    assert at("3.0", "POST", path, {"os-set_image_metadata": {"metadata": {"a": "b"}}}) == {"metadata": {"a": "b"}}
    assert at("3.0", "POST", path, {"os-show_image_metadata": {}}) == {"metadata": {"a": "b"}}
    assert at("3.0", "GET", f"/volumes/{volume}")["volume"]["volume_image_metadata"] == {"a": "b"}
    at("3.0", "POST", path, {"os-unset_image_metadata": {"key": "nothing"}}, status=404)
    assert at("3.0", "POST", path, {"os-unset_image_metadata": {"key": "a"}}) == {"metadata": {}}


def test_a_readonly_volume(at, cloud, volume):
    path = f"/volumes/{volume}/action"
    at("3.0", "POST", path, {"os-update_readonly_flag": {"readonly": "perhaps"}}, status=400)
    at("3.0", "POST", path, {"os-update_readonly_flag": {"readonly": True}}, status=202)
    assert at("3.0", "GET", f"/volumes/{volume}")["volume"]["metadata"] == {"readonly": "True"}
    at("3.54", "POST", "/attachments", {"attachment": {"volume_uuid": volume, "mode": "rw"}}, status=400)
    at("3.53", "POST", "/attachments", {"attachment": {"volume_uuid": volume, "mode": "ro"}}, status=400)
    server = cloud.client.call("compute", "POST", "/servers", server_body(cloud.client, "reader"))["server"]["id"]
    wait_status(cloud.client, server)
    cloud.client.call("compute", "POST", f"/servers/{server}/os-volume_attachments", {"volumeAttachment": {"volumeId": volume}})
    wait_for(lambda: at("3.0", "GET", f"/volumes/{volume}")["volume"]["status"] == "in-use", 20, what="the volume in use")
    (attachment,) = at("3.27", "GET", f"/attachments/detail?volume_id={volume}")["attachments"]
    assert attachment["attach_mode"] == "ro"
    at("3.0", "POST", path, {"os-update_readonly_flag": {"readonly": False}}, status=400)
    cloud.client.call("compute", "DELETE", f"/servers/{server}")
    wait_gone(cloud.client, server)
    wait_for(lambda: at("3.0", "GET", f"/volumes/{volume}")["volume"]["status"] == "available", 20, what="the volume")


def test_a_new_image_on_a_volume(at, cloud, volume):
    path, image = f"/volumes/{volume}/action", cloud.client.find("image", "images", "cirros")["id"]
    reimage = {"os-reimage": {"image_id": image}}

    def until(status):
        wait_for(lambda: at("3.0", "GET", f"/volumes/{volume}")["volume"]["status"] == status, 20, what=status)
        return at("3.0", "GET", f"/volumes/{volume}")["volume"]
    at("3.67", "POST", path, reimage, status=404)
    for wrong in ({}, {"image_id": "x"}, {"image_id": image, "other": 1}, {"image_id": image, "reimage_reserved": "perhaps"}):
        at("3.68", "POST", path, {"os-reimage": wrong}, status=400)
    assert at("3.0", "GET", f"/volumes/{volume}")["volume"]["bootable"] == "false"
    at("3.68", "POST", path, reimage, status=202)
    shown = until("available")
    assert (shown["bootable"], shown["volume_image_metadata"]["image_id"]) == ("true", image)
    large = cloud.client.call("image", "POST", "/images", {
        "name": "large", "disk_format": "raw", "container_format": "bare", "min_disk": 2})["id"]
    cloud.client.call("image", "PUT", f"/images/{large}/file", raw=b"\0" * 512, content_type="application/octet-stream")
    assert "larger than volume size" in at("3.68", "POST", path, {"os-reimage": {"image_id": large}}, status=400)
    held = at("3.44", "POST", "/attachments", {"attachment": {"volume_uuid": volume}})["attachment"]["id"]
    assert "but is reserved" in at("3.68", "POST", path, reimage, status=400)
    at("3.68", "POST", path, {"os-reimage": {"image_id": image, "reimage_reserved": True}}, status=202)
    until("reserved")
    compute = login_as(cloud, "nova", ensure_secrets(cloud.state)["nova_password"], "service").token
    for status, reserved, answer in (("reserved", True, 202), ("error", True, 202), ("error", False, 403)):
        at("3.0", "POST", path, {"os-reset_status": {"status": status}}, status=202)
        at("3.68", "POST", path, {"os-reimage": {"image_id": image, "reimage_reserved": reserved}}, status=answer, token=compute)
        until("reserved" if answer == 202 else status)
    at("3.0", "POST", path, {"os-reset_status": {"status": "reserved"}}, status=202)
    at("3.44", "DELETE", f"/attachments/{held}")
    at("3.68", "POST", path, {"os-reimage": {"image_id": image, "reimage_reserved": True}}, status=403, token=compute)
    at("3.0", "POST", path, {"os-reset_status": {"status": "error"}}, status=202)
    at("3.68", "POST", path, reimage, status=202)
    until("available")
    cloud.client.call("image", "DELETE", f"/images/{large}")
