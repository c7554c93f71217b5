"""No CHAP secret stands in the clear in what the services keep."""

import pathlib

from common.periodic import wait_for
from tests.conftest import new_volume, volume_status
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
