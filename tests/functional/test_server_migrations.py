"""Migrations and resizes as the API takes and lists them, in a cloud of one host: resized servers stay on it."""

import pytest

from common.periodic import wait_for
from tests.functional.test_stories import active_server, refused, wait_status


@pytest.fixture
def server(cloud):
    with active_server(cloud.client, "migrations") as made:
        yield made


def act(cloud, server, name, arguments=None, **more):
    return cloud.client.call("compute", "POST", f"/servers/{server}/action", {name: arguments}, **more)


def listed(client, query: str = "", version: str = "2.80") -> list[dict]:
    return client.call("compute", "GET", f"/os-migrations{query}", version=version)["migrations"]


def idle(cloud, server) -> bool:
    return cloud.client.call("compute", "GET", f"/servers/{server}")["server"]["OS-EXT-STS:task_state"] is None


def message(cloud, server, action: str) -> str | None:
    found = cloud.client.call("compute", "GET", f"/servers/{server}/os-instance-actions")["instanceActions"]
    return next(a["message"] for a in found if a["action"] == action)


def test_without_another_host_the_server_stays_as_it_was_and_its_history_says_why(cloud, member, server):
    for client in (member,):
        refused(404, client, "compute", "POST", f"/servers/{server}/action", {"migrate": None})
        refused(403, client, "compute", "GET", "/os-migrations")
    act(cloud, server, "migrate", None)
    wait_for(lambda: idle(cloud, server), 30, what="the server to be idle again")
    assert wait_status(cloud.client, server)["OS-EXT-STS:vm_state"] == "active"
    assert "There is no host besides the one that the server is on." in message(cloud, server, "migrate")
    newest, = listed(cloud.client, f"?instance_uuid={server}")
    assert (newest["migration_type"], newest["status"]) == ("migration", "error")
    assert newest["dest_compute"] is None and newest["source_compute"]
    assert set(newest) - set(listed(cloud.client, version="2.1")[0]) == {"migration_type", "uuid", "user_id", "project_id"}


def flavor_of(cloud, server) -> str:
    return cloud.client.call("compute", "GET", f"/servers/{server}", version="2.1")["server"]["flavor"]["id"]


def resized(cloud, server, flavor: str) -> dict:
    """The server, which waits to be confirmed."""
    act(cloud, server, "resize", {"flavorRef": flavor})
    return wait_status(cloud.client, server, "VERIFY_RESIZE")


def attachment(cloud, volume: str) -> list[str]:
    return [a["attachment_id"] for a in cloud.client.call("volume", "GET", f"/volumes/{volume}")["volume"]["attachments"]]


@pytest.fixture
def volume(cloud):
    made = cloud.client.call("volume", "POST", "/volumes", {"volume": {"name": "resized", "size": 1}})["volume"]["id"]
    wait_for(lambda: status_of(cloud, made) == "available", 30, what="the volume")
    yield made
    wait_for(lambda: status_of(cloud, made) == "available", 30, what="the volume to be free")
    cloud.client.call("volume", "DELETE", f"/volumes/{made}")


def status_of(cloud, volume: str) -> str:
    return cloud.client.call("volume", "GET", f"/volumes/{volume}")["volume"]["status"]


def test_a_server_is_resized_on_its_host_and_confirmed_or_reverted(cloud, volume, server):
    """With a volume, which stays attached as it was."""
    own, client = flavor_of(cloud, server), cloud.client
    client.call("compute", "POST", f"/servers/{server}/os-volume_attachments", {"volumeAttachment": {"volumeId": volume}})
    wait_for(lambda: status_of(cloud, volume) == "in-use", 30, what="the attached volume")
    attached = attachment(cloud, volume)
    for action, flavor, status in (("revertResize", own, "reverted"), ("confirmResize", "2", "confirmed")):
        shown = resized(cloud, server, "2")
        assert flavor_of(cloud, server) == "2" and shown["OS-EXT-STS:power_state"] == 1
        act(cloud, server, action)
        assert wait_status(client, server)["OS-EXT-STS:power_state"] == 1
        assert flavor_of(cloud, server) == flavor and attachment(cloud, volume) == attached
        newest = listed(client, f"?instance_uuid={server}")[0]
        assert (newest["status"], newest["migration_type"], newest["new_instance_type_id"]) == (status, "resize", 2)
        assert newest["source_compute"] == newest["dest_compute"] == newest["source_node"] == newest["dest_node"]
    client.call("compute", "DELETE", f"/servers/{server}/os-volume_attachments/{volume}")
    wait_for(lambda: status_of(cloud, volume) == "available", 30, what="the detached volume")


@pytest.mark.parametrize("action", ["confirmResize", "revertResize"])
def test_a_stopped_server_is_resized_and_stays_stopped(cloud, server, action):
    act(cloud, server, "os-stop")
    wait_status(cloud.client, server, "SHUTOFF")
    assert resized(cloud, server, "2")["OS-EXT-STS:power_state"] == 4
    act(cloud, server, action)
    wait_status(cloud.client, server, "SHUTOFF")


def test_what_cannot_begin_is_refused(cloud, server):
    path = f"/servers/{server}/action"
    host = cloud.client.call("compute", "GET", f"/servers/{server}")["server"]["OS-EXT-SRV-ATTR:host"]
    assert "could not be found" in refused(400, cloud.client, "compute", "POST", path, {"migrate": {"host": "nowhere"}},
                                           version="2.56")
    assert "Cannot migrate to the host" in refused(400, cloud.client, "compute", "POST", path, {"migrate": {"host": host}},
                                                   version="2.56")
    for name in ("confirmResize", "revertResize"):
        text = refused(409, cloud.client, "compute", "POST", path, {name: None})
        assert f"Cannot '{name}' instance {server} while it is in vm_state active" in text
    for flavor, text in ((flavor_of(cloud, server), "must change flavor"), ("no-such", "could not be found")):
        assert text in refused(400, cloud.client, "compute", "POST", path, {"resize": {"flavorRef": flavor}})
    assert listed(cloud.client, f"?instance_uuid={server}") == []


def test_pages_and_filters_of_the_list(cloud, server):
    for _ in range(3):
        act(cloud, server, "migrate")
        wait_for(lambda: idle(cloud, server), 30, what="the server to be idle again")
    mine = f"instance_uuid={server}"
    first = cloud.client.call("compute", "GET", f"/os-migrations?{mine}&limit=2", version="2.59")
    assert len(first["migrations"]) == 2 and first["migrations_links"][0]["rel"] == "next"
    marker = first["migrations"][-1]["uuid"]
    (last,) = listed(cloud.client, f"?{mine}&limit=2&marker={marker}")
    assert last["id"] < first["migrations"][-1]["id"] < first["migrations"][0]["id"]
    assert listed(cloud.client, f"?{mine}&status=finished") == [] and len(listed(cloud.client, f"?{mine}&status=error")) == 3
    assert listed(cloud.client, f"?{mine}&changes-since=2099-01-01T00:00:00") == []
    refused(400, cloud.client, "compute", "GET", "/os-migrations?marker=nothing", version="2.59")
    refused(400, cloud.client, "compute", "GET", "/os-migrations?color=blue", version="2.59")
    assert listed(cloud.client, f"?{mine}&color=blue", version="2.58")
