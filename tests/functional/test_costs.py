"""What a boot costs: at most so many SQL statements and bus messages (doc/design/cost-of-a-boot.md)."""

import json
import pathlib

import pytest
from websockets.sync.client import connect

from common.periodic import wait_for
from tests.conftest import FakeCloud
from tests.functional.test_stories import server_body, wait_gone, wait_status

STATEMENTS, MESSAGES = 40, 10
RESIZE_STATEMENTS, RESIZE_MESSAGES = 60, 20  # and migrations to another host
LIVE_STATEMENTS, LIVE_MESSAGES = 60, 20
REPORT_STATEMENTS, REPORT_MESSAGES = 2, 2  # of how far a live migration is
_VERSIONS = ("SELECT DISTINCT services.rpc_version", "SELECT DISTINCT agents.rpc_version")


@pytest.fixture(scope="module")
def counting(tmp_path_factory):
    made = FakeCloud(tmp_path_factory.mktemp("cloud"), module="tests.functional.counting_cloud").start()
    call = made.client.call
    for first in call("compute", "GET", "/servers")["servers"]:  # else the host's zone could not be changed
        call("compute", "DELETE", f"/servers/{first['id']}")
        wait_gone(made.client, first["id"])
    east = call("compute", "POST", "/os-aggregates", {"aggregate": {"name": "e", "availability_zone": "east"}})["aggregate"]
    call("compute", "POST", f"/os-aggregates/{east['id']}/action", {"add_host": {"host": "fake-host"}})
    warm = call("compute", "POST", "/servers", server_body(made.client, "warm"))["server"]["id"]
    wait_status(made.client, warm)  # the scheduler knows of the zone by now
    yield made
    made.stop()


def costs(cloud: FakeCloud, request_id: str) -> dict[str, list[str]]:
    """{"sql": its statements, "message": its messages} of a request, without the versions of services that each process reads
    every 30 s, whatever it is doing then."""
    lines = map(json.loads, pathlib.Path(f"{cloud.state}.counted").read_text().splitlines())
    found: dict[str, list[str]] = {"sql": [], "message": []}
    for line in lines:
        if line["request"] == request_id and not line["what"].startswith(_VERSIONS):
            found[line["kind"]].append(line["what"])
    return found


@pytest.mark.parametrize("more", [{}, {"availability_zone": "east"}], ids=["anywhere", "in a zone"])
def test_a_boot(counting, more):
    client = counting.client
    response = client.pool.request("POST", client.url("compute") + "/servers", json=server_body(client, "counted", **more),
                                   headers={"X-Auth-Token": client.token})
    assert response.status == 202, response.data
    server_id = json.loads(response.data)["server"]["id"]
    booted = wait_status(client, server_id)
    assert booted["addresses"] and booted["OS-EXT-AZ:availability_zone"] == "east"
    found = costs(counting, response.headers["X-Openstack-Request-Id"])
    # Those of all daemons are there, so that the bars mean something.
    for part in ("INSERT INTO instances", "UPDATE compute_nodes", "INSERT INTO ports", "SELECT images.id", "lock quota:"):
        assert any(what.startswith(part) for what in found["sql"]), part
    assert {what for what in found["message"]} >= {
        "cast scheduler.build", "cast compute-agent.build", "call conductor.begin_build", "call conductor.finish"}
    assert len(found["sql"]) <= STATEMENTS, "\n".join(found["sql"])
    assert len(found["message"]) <= MESSAGES, found["message"]


def act(cloud: FakeCloud, server: str, action: str, arguments, status: str) -> dict[str, list[str]]:
    """What an action costs, until the server has that status."""
    client = cloud.client
    response = client.pool.request("POST", f"{client.url('compute')}/servers/{server}/action", json={action: arguments},
                                   headers={"X-Auth-Token": client.token})
    assert response.status in (202, 204), response.data
    wait_status(client, server, status)
    return costs(cloud, response.headers["X-Openstack-Request-Id"])


def test_a_resize(counting):
    """And what ends it."""
    client = counting.client
    server = client.call("compute", "POST", "/servers", server_body(client, "resized"))["server"]["id"]
    wait_status(client, server)
    for action, arguments, status in (("resize", {"flavorRef": "2"}, "VERIFY_RESIZE"), ("revertResize", None, "ACTIVE"),
                                      ("resize", {"flavorRef": "2"}, "VERIFY_RESIZE"), ("confirmResize", None, "ACTIVE")):
        found = act(counting, server, action, arguments, status)
        assert "operations" in "".join(found["sql"]) and "cast conductor.drive_operation" in found["message"]
        assert len(found["sql"]) <= RESIZE_STATEMENTS, "\n".join(found["sql"])
        assert len(found["message"]) <= RESIZE_MESSAGES, found["message"]


@pytest.fixture(scope="module")
def two_hosts(tmp_path_factory):
    made = FakeCloud(tmp_path_factory.mktemp("hosts"), module="tests.functional.counting_cloud", hosts=2).start()
    yield made
    made.stop()


def test_a_migration_to_another_host(two_hosts):
    """And what ends it."""
    client = two_hosts.client
    server = client.call("compute", "POST", "/servers", server_body(client, "migrated"))["server"]["id"]
    wait_status(client, server)
    for action, arguments, status in (("migrate", None, "VERIFY_RESIZE"), ("revertResize", None, "ACTIVE"),
                                      ("migrate", None, "VERIFY_RESIZE"), ("confirmResize", None, "ACTIVE")):
        found = act(two_hosts, server, action, arguments, status)
        assert len(found["sql"]) <= RESIZE_STATEMENTS, "\n".join(found["sql"])
        assert len(found["message"]) <= RESIZE_MESSAGES, found["message"]


def test_a_live_migration(two_hosts):
    """Besides the reports of its progress, of which there are as many as it takes time."""
    client = two_hosts.client
    server = client.call("compute", "POST", "/servers", server_body(client, "live"))["server"]["id"]
    source = wait_status(client, server)["OS-EXT-SRV-ATTR:host"]
    response = client.pool.request("POST", f"{client.url('compute')}/servers/{server}/action", json={
        "os-migrateLive": {"host": None, "block_migration": "auto"}}, headers={
            "X-Auth-Token": client.token, "OpenStack-API-Version": "compute 2.34"})
    assert response.status == 202, response.data

    def moved() -> bool:
        now = client.call("compute", "GET", f"/servers/{server}")["server"]
        return now["OS-EXT-SRV-ATTR:host"] != source and now["OS-EXT-STS:task_state"] is None
    wait_for(moved, 30, what="the end of the migration")
    found = costs(two_hosts, response.headers["X-Openstack-Request-Id"])
    assert "call compute-agent.guest_moved" in found["message"] and "UPDATE ports" in "".join(found["sql"])
    reports = found["message"].count("call conductor.operation_progress") // 2
    assert len(found["sql"]) <= LIVE_STATEMENTS + reports * REPORT_STATEMENTS, "\n".join(found["sql"])
    assert len(found["message"]) <= LIVE_MESSAGES + reports * REPORT_MESSAGES, found["message"]


def test_a_console(counting):
    client = counting.client
    server = client.call("compute", "POST", "/servers", server_body(client, "shown"))["server"]["id"]
    wait_status(client, server)
    response = client.pool.request("POST", f"{client.url('compute')}/servers/{server}/remote-consoles", json={
        "remote_console": {"protocol": "serial", "type": "serial"}}, headers={
            "X-Auth-Token": client.token, "OpenStack-API-Version": "compute 2.6"})
    assert response.status == 200, response.data
    asked = costs(counting, response.headers["X-Openstack-Request-Id"])
    assert len(asked["sql"]) == 5 and not asked["message"], asked
    before = pathlib.Path(f"{counting.state}.counted").read_text()
    with connect(json.loads(response.data)["remote_console"]["url"]) as console:
        assert b"login" in console.recv(timeout=10)
    lines = pathlib.Path(f"{counting.state}.counted").read_text().removeprefix(before).splitlines()
    opened = [found["what"] for found in map(json.loads, lines) if "console" in found["what"]]
    assert [what.split()[0] for what in opened] == ["SELECT", "SELECT", "DELETE", "call", "call"], opened
