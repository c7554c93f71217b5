"""Live migrations between two hosts, in every form of the API, with simulated guests."""

import pathlib

import pytest

from common.periodic import wait_for
from tests.conftest import FakeCloud, new_member, new_volume, volume_status
from tests.functional.test_stories import active_server, refused, wait_status

ONE, TWO = "fake-host", "fake-host-2"
LATEST = "2.80"


@pytest.fixture(scope="module")
def cloud(tmp_path_factory):
    made = FakeCloud(tmp_path_factory.mktemp("cloud"), "compute.compute.build_resend_s=2", hosts=2).start()
    yield made
    made.stop()


@pytest.fixture
def server(cloud):
    with active_server(cloud.client, "traveller") as made:
        yield made


@pytest.fixture
def held(cloud):
    """Guests do not arrive until the test says so, or ends."""
    files = [pathlib.Path(cloud.state, "instances", "hold-migrations"),
             pathlib.Path(cloud.state, "hosts", TWO, "instances", "hold-migrations")]

    def hold(on: bool = False) -> None:
        for each in files:
            each.touch() if on else each.unlink(missing_ok=True)
    hold(True)
    yield hold
    hold()


def shown(cloud, server: str) -> dict:
    return cloud.client.call("compute", "GET", f"/servers/{server}")["server"]


def host_of(cloud, server: str) -> str:
    return shown(cloud, server)["OS-EXT-SRV-ATTR:host"]


def other(cloud, server: str) -> str:
    return ({ONE, TWO} - {host_of(cloud, server)}).pop()


def begin(cloud, server: str, version: str = LATEST, **given) -> None:
    body = {"host": None, "block_migration": "auto" if version not in ("2.1", "2.24") else True, **given}
    cloud.client.call("compute", "POST", f"/servers/{server}/action", {"os-migrateLive": body}, version=version)


def idle(cloud, server: str, timeout_s: float = 30) -> dict:
    return wait_for(lambda: (s if (s := shown(cloud, server))["OS-EXT-STS:task_state"] is None else None), timeout_s,
                    what="the server to be idle")


def in_progress(cloud, server: str, version: str = LATEST) -> list[dict]:
    return cloud.client.call("compute", "GET", f"/servers/{server}/migrations", version=version)["migrations"]


def running(cloud, server: str) -> dict:
    return wait_for(lambda: next((m for m in in_progress(cloud, server) if m["status"] == "running"), None), 20, every_s=0.02,
                    what="a migration that runs")


def newest(cloud, server: str) -> dict:
    return cloud.client.call("compute", "GET", f"/os-migrations?instance_uuid={server}", version=LATEST)["migrations"][0]


@pytest.mark.parametrize(("version", "given"), [
    ("2.1", {"disk_over_commit": False}), ("2.24", {"disk_over_commit": "true", "host": "other"}), ("2.25", {"host": "other"}),
    ("2.30", {"host": "other", "force": True}), ("2.34", {"host": "other"}), ("2.68", {"block_migration": True})])
def test_a_guest_moves_with_its_port_and_volume_in_each_form(cloud, server, version, given):
    volume = new_volume(cloud.client, "luggage")
    cloud.client.call("compute", "POST", f"/servers/{server}/os-volume_attachments", {"volumeAttachment": {"volumeId": volume}})
    wait_for(lambda: volume_status(cloud.client, volume) == "in-use", 20, what="the volume")
    target = other(cloud, server)
    begin(cloud, server, version, **{**given, **({"host": target} if "host" in given else {})})
    after = idle(cloud, server)
    assert (after["status"], after["OS-EXT-SRV-ATTR:host"], after["OS-EXT-STS:power_state"]) == ("ACTIVE", target, 1)
    migration = newest(cloud, server)
    found = (migration["status"], migration["migration_type"], migration["dest_compute"])
    assert found == ("completed", "live-migration", target)
    port, = cloud.client.call("network", "GET", f"/ports?device_id={server}")["ports"]
    assert (port["binding:host_id"], port["binding:profile"], port["status"]) == (target, {}, "ACTIVE")
    (attachment,) = cloud.client.call("volume", "GET", f"/attachments/detail?volume_id={volume}", version="3.44")["attachments"]
    assert attachment["status"] == "attached" and volume_status(cloud.client, volume) == "in-use"
    actions = cloud.client.call("compute", "GET", f"/servers/{server}/os-instance-actions")["instanceActions"]
    assert "live-migration" in [a["action"] for a in actions]
    assert in_progress(cloud, server) == []


def test_a_paused_guest_stays_paused(cloud, server):
    cloud.client.call("compute", "POST", f"/servers/{server}/action", {"pause": None})
    wait_status(cloud.client, server, "PAUSED")
    target = other(cloud, server)
    begin(cloud, server)
    after = idle(cloud, server)
    assert (after["status"], after["OS-EXT-SRV-ATTR:host"], after["OS-EXT-STS:power_state"]) == ("PAUSED", target, 3)


def test_what_is_shown_of_one_in_progress(cloud, server, held):
    source, target = host_of(cloud, server), other(cloud, server)
    begin(cloud, server)
    found = running(cloud, server)
    path = f"/servers/{server}/migrations/{found['id']}"
    one = cloud.client.call("compute", "GET", path, version=LATEST)["migration"]
    assert one == {**found, "updated_at": one["updated_at"]} and shown(cloud, server)["status"] == "MIGRATING"
    assert found["memory_total_bytes"] == 2 * found["memory_remaining_bytes"] == 2 * found["memory_processed_bytes"]
    assert (found["source_compute"], found["dest_compute"], found["server_uuid"]) == (source, target, server)
    assert found["memory_total_bytes"] > 0 and found["disk_remaining_bytes"] == 0
    links = {link["rel"]: link["href"] for link in newest(cloud, server)["links"]}
    assert links["self"].endswith("/v2.1" + path) and links["bookmark"].endswith(path)
    later = {"2.23": set(), "2.59": {"uuid"}, LATEST: {"uuid", "user_id", "project_id"}}
    for version, more in later.items():
        assert set(in_progress(cloud, server, version)[0]) & later[LATEST] == more
    refused(404, cloud.client, "compute", "GET", f"/servers/{server}/migrations", version="2.22")
    held()
    idle(cloud, server)
    assert "links" not in newest(cloud, server)
    text = f"Live migration {found['id']} for server {server} is not in progress."
    assert text in refused(404, cloud.client, "compute", "GET", path, version=LATEST)
    assert "is not found for server" in refused(404, cloud.client, "compute", "GET", path + "0", version=LATEST)
    refused(404, cloud.client, "compute", "GET", f"/servers/{server}/migrations/x", version=LATEST)


def test_an_aborted_one_leaves_the_guest_where_it_was(cloud, server, held):
    source = host_of(cloud, server)
    begin(cloud, server)
    path = f"/servers/{server}/migrations/{running(cloud, server)['id']}"
    refused(404, cloud.client, "compute", "DELETE", path, version="2.23")
    cloud.client.call("compute", "DELETE", path, version="2.24")
    after = idle(cloud, server)
    assert (after["status"], after["OS-EXT-SRV-ATTR:host"], "fault" in after) == ("ACTIVE", source, False)
    assert newest(cloud, server)["status"] == "cancelled"
    port, = cloud.client.call("network", "GET", f"/ports?device_id={server}")["ports"]
    assert (port["binding:host_id"], port["binding:profile"]) == (source, {})
    text = refused(409, cloud.client, "compute", "DELETE", path, version="2.24")
    assert "Cannot 'abort live migration' instance" in text
    held()
    begin(cloud, server)
    assert idle(cloud, server)["OS-EXT-SRV-ATTR:host"] != source


def test_one_that_waits_for_another_is_aborted_since_2_65(cloud, server, held):
    with active_server(cloud.client, "queued") as second:
        if host_of(cloud, second) != host_of(cloud, server):
            held()
            begin(cloud, second)
            idle(cloud, second)
            held(True)
        source = host_of(cloud, second)
        begin(cloud, server)
        running(cloud, server)
        begin(cloud, second)
        waiting = wait_for(lambda: next(iter(in_progress(cloud, second)), None), 10, what="the second")
        path = f"/servers/{second}/migrations/{waiting['id']}"
        assert "Cannot abort live migration while" in refused(400, cloud.client, "compute", "DELETE", path, version="2.24")
        cloud.client.call("compute", "DELETE", path, version="2.65")
        assert idle(cloud, second)["OS-EXT-SRV-ATTR:host"] == source and newest(cloud, second)["status"] == "cancelled"
        held()
        idle(cloud, server)


def test_one_is_forced_to_complete(cloud, server, held):
    target = other(cloud, server)
    begin(cloud, server)
    path = f"/servers/{server}/migrations/{running(cloud, server)['id']}/action"
    for body in ({"force_complete": {}}, {"other": None}, {}):
        refused(400, cloud.client, "compute", "POST", path, body, version="2.22")
    refused(404, cloud.client, "compute", "POST", path, {"force_complete": None}, version="2.21")
    cloud.client.call("compute", "POST", path, {"force_complete": None}, version="2.22")
    after = idle(cloud, server)
    assert (after["OS-EXT-SRV-ATTR:host"], after["OS-EXT-STS:power_state"]) == (target, 1)
    assert "Cannot 'force complete' instance" in refused(409, cloud.client, "compute", "POST", path, {"force_complete": None},
                                                         version="2.22")


@pytest.mark.parametrize(("version", "body", "text"), [
    ("2.1", {"host": None, "block_migration": True}, "'disk_over_commit' is a required property"),
    ("2.1", {"host": None, "block_migration": "auto", "disk_over_commit": False}, "'auto'"),
    ("2.25", {"host": None, "block_migration": "auto", "disk_over_commit": False}, "'disk_over_commit' was unexpected"),
    ("2.29", {"host": None, "block_migration": "auto", "force": True}, "'force' was unexpected"),
    ("2.30", {"host": None, "block_migration": "auto", "force": True}, "Can't force to a non-provided destination"),
    ("2.68", {"host": ONE, "block_migration": "auto", "force": True}, "'force' was unexpected"),
    ("2.68", {"block_migration": "auto"}, "'host' is a required property"),
    ("2.68", {"host": "no-such", "block_migration": "auto"}, "Compute host no-such could not be found."),
    ("2.25", {"host": None, "block_migration": False}, "Migration pre-check error: The disk of instance"),
])
def test_what_cannot_begin_is_refused(cloud, server, version, body, text):
    found = refused(400, cloud.client, "compute", "POST", f"/servers/{server}/action", {"os-migrateLive": body}, version=version)
    assert text in found
    assert idle(cloud, server)["status"] == "ACTIVE"


def test_a_migration_to_its_own_host_fails_at_once_before_2_34_and_later_since(cloud, server):
    body = {"os-migrateLive": {"host": host_of(cloud, server), "block_migration": "auto"}}
    path = f"/servers/{server}/action"
    assert "to current host" in refused(400, cloud.client, "compute", "POST", path, body, version="2.33")
    cloud.client.call("compute", "POST", path, body, version="2.34")
    after = idle(cloud, server)
    assert after["status"] == "ACTIVE" and newest(cloud, server)["status"] == "error"


def test_only_a_running_server_of_ones_own_cloud_moves(cloud, server):
    path, body = f"/servers/{server}/action", {"os-migrateLive": {"host": None, "block_migration": "auto"}}
    member = new_member(cloud)
    refused(404, member, "compute", "POST", path, body, version="2.68")
    cloud.client.call("compute", "POST", path, {"suspend": None})
    wait_status(cloud.client, server, "SUSPENDED")
    text = refused(409, cloud.client, "compute", "POST", path, body, version="2.68")
    assert f"Cannot 'os-migrateLive' instance {server} while it is in vm_state suspended" in text


def test_a_server_that_is_deleted_meanwhile_leaves_nothing_on_either_host(cloud, held):
    with active_server(cloud.client, "short-lived") as made:
        begin(cloud, made)
        running(cloud, made)
    def used() -> list[int]:
        found = cloud.client.call("compute", "GET", "/os-hypervisors/detail", version="2.80")["hypervisors"]
        return [h["running_vms"] for h in found]
    wait_for(lambda: sum(used()) == 1, 20, what=f"only the first server, not {used()}")
    files = pathlib.Path(cloud.state).glob("**/instances/*/*")
    wait_for(lambda: not [f for f in files if made in str(f)], 20, what="the files to be gone")


@pytest.fixture(scope="module")
def lossy(tmp_path_factory):
    made = FakeCloud(tmp_path_factory.mktemp("lossy"), module="tests.functional.lossy_cloud", hosts=2).start()
    yield made
    made.stop()


@pytest.mark.parametrize(("lost", "expected_s"), [
    ("compute-agent request", 3), ("conductor request", 2), ("conductor answer", 2)])
@pytest.mark.alone
def test_a_guest_does_not_stand_still_until_a_step_is_requested_again_if_a_message_is_lost(lossy, lost, expected_s):
    with active_server(lossy.client, "late") as server:
        target, still = other(lossy, server), pathlib.Path(f"{lossy.state}.still")
        pathlib.Path(f"{lossy.state}.lose").write_text(lost)
        begin(lossy, server)
        assert idle(lossy, server)["OS-EXT-SRV-ATTR:host"] == target
        assert expected_s <= float(still.read_text()) < expected_s + 4
        still.unlink()
