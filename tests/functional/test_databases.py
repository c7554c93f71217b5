"""The whole cloud on PostgreSQL and on MariaDB: every table made, and a server's life lived on it."""

import urllib.parse

import pytest
import sqlalchemy as sa

from common.periodic import wait_for
from deploy import first, status
from tests import databases
from tests.conftest import FakeCloud, new_volume, volume_status
from tests.functional.test_stories import server_body, wait_gone, wait_status
from volume.db.models import volumes


@pytest.fixture(scope="module", params=[databases.MariaDB, databases.PostgreSQL])
def server(request):
    with databases.running(request.param()) as made:
        yield made


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


def check_texts_are_exact(client: first.Cloud) -> None:
    """Nor do its usual comparisons tell names apart by case, accents or spaces at the end; and old ones take no emoji."""
    names = ["Exact", "exact", "exact ", "\u00e9xact", "\U0001f642"]
    made = {name: client.call("image", "POST", "/images", {"name": name, "tags": [name.strip()]})["id"] for name in names}
    for name, image in made.items():
        found = client.call("image", "GET", "/images?" + urllib.parse.urlencode({"name": name}))["images"]
        assert [i["id"] for i in found] == [image], name
    assert [i["id"] for i in client.call("image", "GET", "/images?tag=Exact")["images"]] == [made["Exact"]]
    kinds = {name: client.call("volume", "POST", "/types", {"volume_type": {"name": name}})["volume_type"]["id"]
             for name in names[:2]}
    volumes = {name: new_volume(client, name, volume_type=name) for name in kinds}
    for name, volume in volumes.items():
        (found,) = client.call("volume", "GET", f"/volumes/detail?name={name}")["volumes"]
        assert (found["id"], found["volume_type"]) == (volume, name)


def check_what_operators_see(cloud: FakeCloud, volume_id: str) -> None:
    told = cloud.metrics().splitlines()
    for line in (*(f'pileus_database_up{{database="{name}"}} 1.0' for name in ("compute", "network", "volume")),
                 'pileus_servers{status="ACTIVE"} 2.0', 'pileus_volumes{status="in-use"} 1.0'):
        assert line in told
    late = status.collect(cloud.state, after_s=-1)
    assert late["problems"] == late["stuck"] == late["hosts"] == []
    with status.Overview(cloud.state, "tested").database("volume").writer() as connection:
        connection.execute(sa.update(volumes).where(volumes.c.id == volume_id).values(status="detaching"))
    (one,) = status.collect(cloud.state, after_s=-1)["stuck"]
    assert (one["kind"], one["id"], one["state"], one["why"]) == ("volume", volume_id, "detaching", [])
    with status.Overview(cloud.state, "tested").database("volume").writer() as connection:
        connection.execute(sa.update(volumes).where(volumes.c.id == volume_id).values(status="in-use"))


def test_a_servers_life(server, tmp_path_factory):
    cloud = FakeCloud(tmp_path_factory.mktemp("cloud"), *databases.settings(server.url)).start()
    try:
        client: first.Cloud = cloud.client
        made = client.call("compute", "POST", "/servers", server_body(client, "on-a-server"))["server"]
        wait_status(client, made["id"])
        volume = new_volume(client, "kept", metadata={"a": "b"})
        check_ids_are_exact(client, made["id"], volume)
        check_texts_are_exact(client)
        client.call("compute", "POST", f"/servers/{made['id']}/os-volume_attachments", {"volumeAttachment": {"volumeId": volume}})
        wait_for(lambda: volume_status(client, volume) == "in-use", 20, what="the attachment")
        check_what_operators_see(cloud, volume)
        found = client.call("volume", "GET", "/volumes/detail?metadata={'a':'b'}")["volumes"]
        assert [v["id"] for v in found] == [volume]
        client.call("compute", "DELETE", f"/servers/{made['id']}")
        wait_gone(client, made["id"])
        wait_for(lambda: volume_status(client, volume) == "available", 20, what="the detachment")
    finally:
        cloud.stop()
