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


def check_ids_are_exact(client: first.Cloud, server_id: str, volume_id: str) -> None:
    """MariaDB compares texts without regard to case and to spaces at the end: hosts, who know the id, do not."""
    image = client.find("image", "images", "cirros")["id"]
    network = client.call("network", "GET", "/networks")["networks"][0]["id"]
    for service, where in (("compute", f"/servers/{{}}:{server_id}"), ("compute", f"/servers/{{}}/os-interface:{server_id}"),
                           ("volume", f"/volumes/{{}}:{volume_id}"), ("image", f"/images/{{}}:{image}"),
                           ("network", f"/networks/{{}}:{network}"), ("identity", f"/projects/{{}}:{client.project_id}")):
        path, _, own = where.partition(":")
        client.call(service, "GET", path.format(own))
        for other in (own.upper(), own + "%20"):
            with pytest.raises(RuntimeError, match=": 404"):
                client.call(service, "GET", path.format(other))


def test_a_servers_life(server, tmp_path_factory):
    cloud = FakeCloud(tmp_path_factory.mktemp("cloud"), *databases.settings(server.url)).start()
    try:
        client: first.Cloud = cloud.client
        made = client.call("compute", "POST", "/servers", server_body(client, "on-a-server"))["server"]
        wait_status(client, made["id"])
        volume = new_volume(client, "kept", metadata={"a": "b"})
        check_ids_are_exact(client, made["id"], volume)
        client.call("compute", "POST", f"/servers/{made['id']}/os-volume_attachments", {"volumeAttachment": {"volumeId": volume}})
        wait_for(lambda: volume_status(client, volume) == "in-use", 20, what="the attachment")
        found = client.call("volume", "GET", "/volumes/detail?metadata={'a':'b'}")["volumes"]
        assert [v["id"] for v in found] == [volume]
        client.call("compute", "DELETE", f"/servers/{made['id']}")
        wait_gone(client, made["id"])
        wait_for(lambda: volume_status(client, volume) == "available", 20, what="the detachment")
    finally:
        cloud.stop()
