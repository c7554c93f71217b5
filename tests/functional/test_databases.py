"""The whole cloud on PostgreSQL and on MariaDB: every table made, and a server's life lived on it."""

import pytest

from common.periodic import wait_for
from deploy import first
from tests import databases
from tests.conftest import FakeCloud, new_volume, volume_status
from tests.functional.test_stories import server_body, wait_gone, wait_status


@pytest.fixture(scope="module", params=[databases.MariaDB, databases.PostgreSQL])
def server(request):
    made = request.param()
    try:
        made.make()
        yield made
    finally:
        made.stop()


def test_a_servers_life(server, tmp_path_factory):
    cloud = FakeCloud(tmp_path_factory.mktemp("cloud"), *databases.settings(server.url)).start()
    try:
        client: first.Cloud = cloud.client
        made = client.call("compute", "POST", "/servers", server_body(client, "on-a-server"))["server"]
        wait_status(client, made["id"])
        volume = new_volume(client, "kept", metadata={"a": "b"})
        client.call("compute", "POST", f"/servers/{made['id']}/os-volume_attachments", {"volumeAttachment": {"volumeId": volume}})
        wait_for(lambda: volume_status(client, volume) == "in-use", 20, what="the attachment")
        found = client.call("volume", "GET", "/volumes/detail?metadata={'a':'b'}")["volumes"]
        assert [v["id"] for v in found] == [volume]
        client.call("compute", "DELETE", f"/servers/{made['id']}")
        wait_gone(client, made["id"])
        wait_for(lambda: volume_status(client, volume) == "available", 20, what="the detachment")
    finally:
        cloud.stop()
