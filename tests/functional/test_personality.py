"""Files in new servers, until 2.56: quotas, the config drive's contents by way of the metadata service, rebuilds."""

import base64
import json

import pytest

from common import guest
from common.periodic import wait_for
from tests.functional.test_stories import refused, server_body, wait_gone, wait_status


def file(path: str, text: str) -> dict:
    return {"path": path, "contents": base64.b64encode(text.encode()).decode()}


@pytest.mark.parametrize("files, status, says", [
    ([file(f"/f{n}", "x") for n in range(6)], 403, "Personality file limit exceeded"),
    ([file("/f", "x" * 10241)], 403, "content exceeds"), ([file("/" + "f" * 255, "x")], 403, "path exceeds"),
    ([{"path": "/f", "contents": "not base64!"}], 400, "cannot be decoded"), ([{"path": "/f"}], 400, "contents"),
    ([file("/f", "1"), file("/f", "2")], 400, "two files")], ids=lambda v: str(v)[:30])
def test_what_is_refused(cloud, files, status, says):
    body = server_body(cloud.client, "refused", personality=files)
    assert says in refused(status, cloud.client, "compute", "POST", "/servers", body, version="2.56")


def test_there_are_none_since_2_57(cloud):
    client, own = cloud.client, f"/os-quota-sets/{cloud.client.project_id}"
    later = server_body(client, "later", personality=[file("/f", "x")])
    refused(400, client, "compute", "POST", "/servers", later, version="2.57")
    assert client.call("compute", "GET", "/limits", version="2.56")["limits"]["absolute"]["maxPersonality"] == 5
    assert client.call("compute", "GET", own, version="2.56")["quota_set"]["injected_file_content_bytes"] == 10240
    for where, name in ((own, "quota_set"), ("/os-quota-class-sets/default", "quota_class_set")):
        assert "injected_files" not in client.call("compute", "GET", where, version="2.57")[name]
        refused(400, client, "compute", "PUT", where, {name: {"injected_files": 1}}, version="2.57")
    client.call("compute", "PUT", own, {"quota_set": {"injected_files": 0}}, version="2.56")
    text = refused(403, client, "compute", "POST", "/servers", server_body(client, "none", personality=[file("/f", "x")]),
                   version="2.56")
    assert "limit exceeded" in text
    client.call("compute", "DELETE", own)


def test_they_are_asked_for_at_a_rebuild_again(cloud):
    client, image = cloud.client, cloud.client.find("image", "images", "cirros")["id"]
    made = client.call("compute", "POST", "/servers", server_body(
        client, "with-files", personality=[file("/etc/motd", "hello")]), version="2.56")["server"]["id"]
    wait_status(client, made)
    act = f"/servers/{made}/action"
    refused(403, client, "compute", "POST", act, {"rebuild": {"imageRef": image, "personality": [file("/f", "x" * 10241)]}},
            version="2.56")
    client.call("compute", "POST", act, {"rebuild": {"imageRef": image, "personality": [file("/etc/issue", "again")]}},
                version="2.56")
    wait_for(lambda: client.call("compute", "GET", f"/servers/{made}")["server"]["status"] == "ACTIVE", 30, what="the rebuild")
    client.call("compute", "DELETE", f"/servers/{made}")
    wait_gone(client, made)


ROW = {"uuid": "u", "display_name": "n", "hostname": "n", "launch_index": 0, "availability_zone": None, "metadata": {},
       "project_id": "p", "reservation_id": "r", "key_data": None, "block_devices": [], "network_info": [], "user_data": None,
       "flavor": {"name": "f"}, "image_ref": None, "root_device_name": "/dev/vda", "posted_password": None,
       "injected_files": [file("/etc/motd", "hello"), file("/root/key", "\0\1")]}


def test_where_a_guest_finds_them():
    drive = guest.config_drive(ROW)
    assert drive["openstack/content/0000"] == b"hello" and drive["openstack/content/0001"] == b"\0\1"
    described = json.loads(drive["openstack/latest/meta_data.json"])["files"]
    assert described == [{"path": "/etc/motd", "content_path": "/content/0000"}, {"path": "/root/key",
                                                                                "content_path": "/content/0001"}]
    assert guest.lookup(ROW, "/openstack/content/0001") == b"\0\1"
    for missing in ("/openstack/content", "/openstack/content/0002", "/openstack/content/0000/x"):
        assert guest.lookup(ROW, missing) is None
    assert "files" not in json.loads(guest.config_drive({**ROW, "injected_files": None})["openstack/latest/meta_data.json"])
