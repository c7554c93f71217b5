"""Migrations and resizes as the API takes and lists them, in a cloud of one host: there is nowhere to go to."""

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
    for name, arguments in (("migrate", None), ("resize", {"flavorRef": "2"})):
        act(cloud, server, name, arguments)
        wait_for(lambda: idle(cloud, server), 30, what="the server to be idle again")
        assert wait_status(cloud.client, server)["OS-EXT-STS:vm_state"] == "active"
        assert "There is no host besides the one that the server is on." in message(cloud, server, name)
    newest, older = listed(cloud.client, f"?instance_uuid={server}")
    assert (newest["migration_type"], older["migration_type"], newest["status"]) == ("resize", "migration", "error")
    assert newest["dest_compute"] is None and newest["source_compute"] and newest["new_instance_type_id"] == 2
    assert set(newest) - set(listed(cloud.client, version="2.1")[0]) == {"migration_type", "uuid", "user_id", "project_id"}


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
    own = cloud.client.call("compute", "GET", f"/servers/{server}", version="2.1")["server"]["flavor"]["id"]
    for flavor, text in ((own, "must change flavor"), ("no-such", "could not be found")):
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
