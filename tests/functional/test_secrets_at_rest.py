"""No CHAP secret, and no password for a guest, stands in the clear in what the services keep."""

import contextlib
import pathlib
import sqlite3

from common.periodic import wait_for
from tests.conftest import new_volume, volume_status
from tests.functional.test_stories import server_body, wait_gone, wait_status
from volume.drivers.fake import CHAP


def files_with(state: str, text: bytes) -> list[str]:
    found = []
    for path in pathlib.Path(state).rglob("*"):
        if path.is_file() and text in path.read_bytes():
            found.append(str(path))
    return found


def test_a_volume_in_use_leaves_no_secret_in_a_file(cloud):
    admin = cloud.client
    server = admin.find("compute", "servers", "first", "/servers/detail")["id"]
    volume = new_volume(admin, "secret")
    admin.call("compute", "POST", f"/servers/{server}/os-volume_attachments", {"volumeAttachment": {"volumeId": volume}})
    wait_for(lambda: volume_status(admin, volume) == "in-use", 20, what="the attachment")
    assert files_with(cloud.state, b"sealed_auth_password") and not files_with(cloud.state, CHAP.encode())
    admin.call("compute", "POST", f"/servers/{server}/action", {"reboot": {"type": "HARD"}})
    wait_for(lambda: admin.find("compute", "servers", "first", "/servers/detail")["status"] == "ACTIVE", 20, what="the reboot")
    assert not files_with(cloud.state, CHAP.encode())
    admin.call("compute", "DELETE", f"/servers/{server}/os-volume_attachments/{volume}")
    wait_for(lambda: volume_status(admin, volume) == "available", 20, what="the detachment")
    admin.call("volume", "DELETE", f"/volumes/{volume}")


def test_a_password_for_a_config_drive_is_not_kept(cloud):
    """It is in the answer alone, and sealed in the database until the guest has it."""
    client, password = cloud.client, "Correct-Horse-"
    (database,) = pathlib.Path(cloud.state).rglob("compute.sqlite")

    def check(expected: str) -> None:
        wait_status(client, server, expected)
        with contextlib.closing(sqlite3.connect(database)) as connection:
            assert connection.execute("SELECT * FROM instance_secrets").fetchall() == []
        assert not files_with(cloud.state, password.encode())
    made = client.call("compute", "POST", "/servers", server_body(client, "told", config_drive=True, adminPass=password + "1"))
    server, act = made["server"]["id"], f"/servers/{made['server']['id']}/action"
    assert made["server"]["adminPass"] == password + "1"
    check("ACTIVE")
    image = client.call("compute", "GET", f"/servers/{server}")["server"]["image"]["id"]
    rebuilt = client.call("compute", "POST", act, {"rebuild": {"imageRef": image, "adminPass": password + "2"}})
    assert rebuilt["server"]["adminPass"] == password + "2"
    check("ACTIVE")
    assert client.call("compute", "POST", act, {"rescue": {"adminPass": password + "3"}}) == {"adminPass": password + "3"}
    check("RESCUE")
    client.call("compute", "DELETE", f"/servers/{server}")
    wait_gone(client, server)


def test_an_image_may_demand_a_config_drive(cloud):
    client = cloud.client
    made = client.call("image", "POST", "/images", {
        "name": "with-drive", "disk_format": "raw", "container_format": "bare", "img_config_drive": "mandatory"})["id"]
    client.call("image", "PUT", f"/images/{made}/file", raw=b"\0" * 512, content_type="application/octet-stream")
    for value, has in (("mandatory", "True"), ("optional", "")):
        client.call("image", "PATCH", f"/images/{made}", [{"op": "replace", "path": "/img_config_drive", "value": value}],
                    content_type="application/openstack-images-v2.1-json-patch")
        server = client.call("compute", "POST", "/servers", server_body(client, "driven", imageRef=made))["server"]["id"]
        assert wait_status(client, server)["config_drive"] == has
        client.call("compute", "DELETE", f"/servers/{server}")
        wait_gone(client, server)
