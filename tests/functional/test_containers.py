"""What the hypervisor of a server's host does not support is refused, before anything has changed: as on a host of containers."""

import pytest

from tests.conftest import FakeCloud, new_volume, volume_status
from tests.functional.test_stories import active_server, refused, server_body, wait_status

ALL = "volumes,local disks,suspend,rescue,resize,live migration,crash dump,consoles"


@pytest.fixture(scope="module")
def cloud(tmp_path_factory):
    made = FakeCloud(tmp_path_factory.mktemp("cloud"), "compute-agent.fake.hypervisor_type=LXC",
                     f"compute-agent.fake.unsupported={ALL}").start()
    yield made
    made.stop()


@pytest.fixture(scope="module")
def server(cloud):
    with active_server(cloud.client, "container") as made:
        yield made


@pytest.mark.parametrize(("what", "action"), [
    ("suspend", {"suspend": None}), ("rescue", {"rescue": None}), ("resize", {"resize": {"flavorRef": "1"}}),
    ("resize", {"migrate": None}), ("crash dump", {"trigger_crash_dump": None}),
    ("live migration", {"os-migrateLive": {"host": None, "block_migration": "auto"}})])
def test_actions_are_refused_and_change_nothing(cloud, server, what, action):
    told = refused(409, cloud.client, "compute", "POST", f"/servers/{server}/action", action, version="2.79")
    assert f"The hypervisor of instance {server} does not support {what}." in told
    shown = cloud.client.call("compute", "GET", f"/servers/{server}")["server"]
    assert (shown["status"], shown["OS-EXT-STS:task_state"]) == ("ACTIVE", None)


def test_volumes_are_refused(cloud, server):
    volume = new_volume(cloud.client, "data")
    told = refused(409, cloud.client, "compute", "POST", f"/servers/{server}/os-volume_attachments",
                   {"volumeAttachment": {"volumeId": volume}})
    assert "does not support volumes" in told and volume_status(cloud.client, volume) == "available"


@pytest.mark.parametrize("console", [{"protocol": "vnc", "type": "novnc"}, {"protocol": "serial", "type": "serial"}])
def test_consoles_are_refused(cloud, server, console):
    told = refused(400, cloud.client, "compute", "POST", f"/servers/{server}/remote-consoles", {"remote_console": console},
                   version="2.79")
    assert f"Unavailable console type {console['type']}." in told


def test_servers_with_other_disks_find_no_host(cloud):
    flavor = cloud.client.call("compute", "POST", "/flavors", {"flavor": {
        "name": "ephemeral", "ram": 64, "vcpus": 1, "disk": 1, "OS-FLV-EXT-DATA:ephemeral": 1}})["flavor"]["id"]
    made = cloud.client.call("compute", "POST", "/servers", server_body(cloud.client, "e", flavorRef=flavor))["server"]["id"]
    fault = wait_status(cloud.client, made, "ERROR")["fault"]["message"]
    assert "Of 1 hosts: 1 with a hypervisor that does not support local disks." in fault
    cloud.client.call("compute", "DELETE", f"/servers/{made}")
    cloud.client.call("compute", "DELETE", f"/flavors/{flavor}")


def test_operators_see_what_the_host_is(cloud):
    (found,) = cloud.client.call("compute", "GET", "/os-hypervisors/detail")["hypervisors"]
    assert found["hypervisor_type"] == "LXC"
