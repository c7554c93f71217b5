"""Snapshots and copies of volumes, as a user meets them."""

import pytest

from common.periodic import wait_for
from tests.conftest import new_volume, volume_status
from tests.functional.test_stories import refused, server_body, wait_gone, wait_status


def call(cloud, method, path, body=None):
    return cloud.client.call("volume", method, path, body)


def snapshot(cloud, volume: str, **values) -> str:
    made = call(cloud, "POST", "/snapshots", {"snapshot": {"volume_id": volume, "name": "kept", **values}})["snapshot"]
    assert (made["status"], made["size"], made["volume_id"]) == ("creating", 1, volume)
    wait_for(lambda: call(cloud, "GET", f"/snapshots/{made['id']}")["snapshot"]["status"] == "available", 10,
             what="the snapshot")
    return made["id"]


def gone(cloud, path: str) -> None:
    def absent():
        try:
            call(cloud, "GET", path)
        except RuntimeError as error:
            return ": 404 " in str(error)
        return False
    wait_for(absent, 10, what=f"{path} to go")


@pytest.fixture
def volume(cloud):
    made = new_volume(cloud.client, "source")
    yield made
    call(cloud, "DELETE", f"/volumes/{made}?cascade=true")
    gone(cloud, f"/volumes/{made}")


def test_life_of_a_snapshot(cloud, volume):
    taken = snapshot(cloud, volume, metadata={"a": "b"})
    shown = call(cloud, "GET", f"/snapshots/{taken}")["snapshot"]
    assert shown["os-extended-snapshot-attributes:progress"] == "100%" and shown["metadata"] == {"a": "b"}
    assert [s["id"] for s in call(cloud, "GET", f"/snapshots/detail?volume_id={volume}")["snapshots"]] == [taken]
    assert call(cloud, "GET", "/snapshots?name=other")["snapshots"] == []
    page = call(cloud, "GET", "/snapshots?limit=1")
    assert len(page["snapshots"]) == 1 and page["snapshots_links"][0]["rel"] == "next"
    assert call(cloud, "PUT", f"/snapshots/{taken}", {"snapshot": {"name": "new"}})["snapshot"]["name"] == "new"
    path = f"/snapshots/{taken}/metadata"
    assert call(cloud, "POST", path, {"metadata": {"c": "d"}}) == {"metadata": {"a": "b", "c": "d"}}
    assert call(cloud, "PUT", path, {"metadata": {"e": "f"}}) == {"metadata": {"e": "f"}}
    assert call(cloud, "PUT", f"{path}/g", {"meta": {"g": "h"}}) == {"meta": {"g": "h"}}
    call(cloud, "DELETE", f"{path}/g")
    refused(404, cloud.client, "volume", "GET", f"{path}/g")
    limits = call(cloud, "GET", "/limits")["limits"]["absolute"]
    assert (limits["totalSnapshotsUsed"], limits["totalGigabytesUsed"]) == (1, 2)
    refused(400, cloud.client, "volume", "DELETE", f"/volumes/{volume}")
    call(cloud, "DELETE", f"/snapshots/{taken}")
    gone(cloud, f"/snapshots/{taken}")


def test_what_is_refused(cloud, member, volume):
    client = cloud.client
    refused(404, client, "volume", "POST", "/snapshots", {"snapshot": {"volume_id": "0" * 8 + "-0000-4000-8000-" + "0" * 12}})
    refused(404, member, "volume", "POST", "/snapshots", {"snapshot": {"volume_id": volume}})
    taken = snapshot(cloud, volume)
    refused(404, member, "volume", "GET", f"/snapshots/{taken}")
    refused(404, member, "volume", "POST", "/volumes", {"volume": {"size": 1, "snapshot_id": taken}})
    own = new_volume(member, "own")
    theirs = member.call("volume", "POST", "/snapshots", {"snapshot": {"volume_id": own}})["snapshot"]["id"]
    wait_for(lambda: member.call("volume", "GET", f"/snapshots/{theirs}")["snapshot"]["status"] == "available", 10, what="it")
    refused(403, member, "volume", "POST", f"/snapshots/{theirs}/action", {"os-reset_status": {"status": "error"}})
    member.call("volume", "DELETE", f"/volumes/{own}?cascade=true")
    gone(cloud, f"/volumes/{own}")
    refused(400, client, "volume", "POST", "/volumes", {"volume": {"size": 1, "snapshot_id": taken, "source_volid": volume}})
    refused(400, client, "volume", "POST", f"/snapshots/{taken}/action", {"os-nothing": {}})
    call(cloud, "POST", f"/snapshots/{taken}/action", {"os-reset_status": {"status": "error"}})
    refused(400, client, "volume", "POST", "/volumes", {"volume": {"size": 1, "snapshot_id": taken}})
    project = client.project_id
    client.call("volume", "PUT", f"/os-quota-sets/{project}", {"quota_set": {"snapshots": 1}})
    assert "SnapshotLimitExceeded" in refused(413, client, "volume", "POST", "/snapshots", {"snapshot": {"volume_id": volume}})
    client.call("volume", "DELETE", f"/os-quota-sets/{project}")
    call(cloud, "POST", f"/snapshots/{taken}/action", {"os-force_delete": {}})
    gone(cloud, f"/snapshots/{taken}")


def test_volumes_are_made_of_snapshots_and_volumes(cloud, volume):
    call(cloud, "POST", f"/volumes/{volume}/action", {"os-set_bootable": {"bootable": True}})
    taken = snapshot(cloud, volume)
    made = call(cloud, "POST", "/volumes", {"volume": {"snapshot_id": taken}})["volume"]
    assert (made["size"], made["snapshot_id"], made["bootable"]) == (1, taken, "true")
    copy = call(cloud, "POST", "/volumes", {"volume": {"source_volid": volume, "size": 2}})["volume"]
    assert (copy["size"], copy["source_volid"]) == (2, volume)
    for one in (made, copy):
        wait_for(lambda v=one: volume_status(cloud.client, v["id"]) == "available", 10, what="the copy")
    refused(400, cloud.client, "volume", "POST", "/volumes", {"volume": {"source_volid": copy["id"], "size": 1}})
    for one in (made, copy):
        call(cloud, "DELETE", f"/volumes/{one['id']}")
        gone(cloud, f"/volumes/{one['id']}")
    call(cloud, "DELETE", f"/snapshots/{taken}")


def test_a_server_boots_from_a_snapshot(cloud, volume):
    call(cloud, "POST", f"/volumes/{volume}/action", {"os-set_bootable": {"bootable": True}})
    taken = snapshot(cloud, volume)
    body = server_body(cloud.client, "of-snapshot", block_device_mapping_v2=[{
        "boot_index": 0, "uuid": taken, "source_type": "snapshot", "destination_type": "volume", "delete_on_termination": True}])
    body["server"]["imageRef"] = ""
    server = cloud.client.call("compute", "POST", "/servers", body)["server"]["id"]
    wait_status(cloud.client, server)
    root = cloud.client.call("compute", "GET", f"/servers/{server}/os-volume_attachments")["volumeAttachments"][0]["volumeId"]
    assert call(cloud, "GET", f"/volumes/{root}")["volume"]["snapshot_id"] == taken
    inside = call(cloud, "POST", "/snapshots", {"snapshot": {"volume_id": root, "force": True}})["snapshot"]["id"]
    wait_for(lambda: call(cloud, "GET", f"/snapshots/{inside}")["snapshot"]["status"] == "available", 10, what="the snapshot")
    refused(400, cloud.client, "volume", "POST", "/snapshots", {"snapshot": {"volume_id": root}})
    call(cloud, "DELETE", f"/snapshots/{inside}")
    gone(cloud, f"/snapshots/{inside}")
    cloud.client.call("compute", "DELETE", f"/servers/{server}")
    wait_gone(cloud.client, server)
    gone(cloud, f"/volumes/{root}")
