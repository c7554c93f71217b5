"""The whole cloud on PostgreSQL and on MariaDB: every table made, and a server's life lived on it."""

import urllib.parse

import pytest

from common.periodic import wait_for
from deploy import first
from tests import databases
from tests.conftest import FakeCloud, login_as, new_volume, volume_status
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


def check_names_are_exact(cloud: FakeCloud) -> None:
    """As above, for those that must be unique in their place, and for who logs in by one."""
    client, names = cloud.client, ["Exact", "exact", "\u00e9xact"]
    made = {}
    for service, noun, more in (("identity", "user", {"password": "pw"}), ("identity", "project", {}), ("identity", "role", {}),
                                ("identity", "group", {}), ("identity", "domain", {}), ("network", "network", {}),
                                ("network", "security_group", {}), ("compute", "flavor", {"ram": 1, "vcpus": 1, "disk": 1}),
                                ("compute", "keypair", {})):
        path = f"/{noun}s".replace("security_group", "security-group").replace("/keypair", "/os-keypair")
        made[noun] = {name: client.call(service, "POST", path, {noun: {"name": name, **more}})[noun] for name in names
                      if noun != "keypair" or name.isascii()}
        if service != "compute":
            for name, one in made[noun].items():
                found = client.call(service, "GET", f"{path}?" + urllib.parse.urlencode({"name": name}))[f"{noun}s"]
                assert [f["id"] for f in found] == [one["id"]], (noun, name)
    role = client.find("identity", "roles", "member")["id"]
    client.call("identity", "PUT", f"/projects/{made['project']['exact']['id']}/users/{made['user']['exact']['id']}/roles/{role}")
    assert login_as(cloud, "exact", "pw", "exact").project_id == made["project"]["exact"]["id"]
    for user, project in (("EXACT", "exact"), ("exact ", "exact"), ("Exact", "exact"), ("exact", "EXACT"), ("exact", "exact ")):
        with pytest.raises(AssertionError, match="401|Unauthorized"):
            login_as(cloud, user, "pw", project)
    with pytest.raises(RuntimeError, match=": 404"):
        client.call("compute", "GET", "/os-keypairs/EXACT")


def test_names_on_sqlite(cloud):
    check_names_are_exact(cloud)


def test_a_servers_life(server, tmp_path_factory):
    cloud = FakeCloud(tmp_path_factory.mktemp("cloud"), *databases.settings(server.url)).start()
    try:
        client: first.Cloud = cloud.client
        made = client.call("compute", "POST", "/servers", server_body(client, "on-a-server"))["server"]
        wait_status(client, made["id"])
        volume = new_volume(client, "kept", metadata={"a": "b"})
        check_ids_are_exact(client, made["id"], volume)
        check_texts_are_exact(client)
        check_names_are_exact(cloud)
        client.call("compute", "POST", f"/servers/{made['id']}/os-volume_attachments", {"volumeAttachment": {"volumeId": volume}})
        wait_for(lambda: volume_status(client, volume) == "in-use", 20, what="the attachment")
        found = client.call("volume", "GET", "/volumes/detail?metadata={'a':'b'}")["volumes"]
        assert [v["id"] for v in found] == [volume]
        client.call("compute", "DELETE", f"/servers/{made['id']}")
        wait_gone(client, made["id"])
        wait_for(lambda: volume_status(client, volume) == "available", 20, what="the detachment")
    finally:
        cloud.stop()
