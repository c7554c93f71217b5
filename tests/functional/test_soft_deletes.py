"""A cloud that keeps deleted servers for a while: how they are shown, restored, and deleted for good."""

import contextlib
import json
import pathlib

import pytest

from common.periodic import wait_for
from tests.conftest import FakeCloud, new_member, new_volume, volume_status
from tests.functional.test_stories import refused, server_body, wait_gone, wait_status


@pytest.fixture(scope="module")
def keeping(tmp_path_factory):
    made = FakeCloud(tmp_path_factory.mktemp("keeping"), "compute.compute.build_resend_s=2",
                     "compute.compute.reclaim_instance_interval=3600").start()
    yield made
    made.stop()


@pytest.fixture(scope="module")
def member(keeping):
    return new_member(keeping)


@pytest.fixture
def server(keeping):
    made = keeping.client.call("compute", "POST", "/servers", server_body(keeping.client, "regretted"))["server"]["id"]
    wait_status(keeping.client, made)
    yield made
    with contextlib.suppress(RuntimeError):  # it may be gone
        act(keeping.client, made, "forceDelete")
    wait_gone(keeping.client, made)


def act(client, server: str, action: str, arguments=None):
    return client.call("compute", "POST", f"/servers/{server}/action", {action: arguments})


def ids(client, query: str = "") -> list[str]:
    return [s["id"] for s in client.call("compute", "GET", f"/servers?{query}")["servers"]]


def power(keeping, server: str) -> int:
    return json.loads(pathlib.Path(keeping.state, "instances", server, "guest.json").read_text())["power"]


def deleted(client, server: str) -> dict:
    client.call("compute", "DELETE", f"/servers/{server}")
    return wait_status(client, server, "SOFT_DELETED")


def test_a_deleted_server_is_restored_with_all_that_is_its_own(keeping, server):
    client, path = keeping.client, f"/servers/{server}"
    volume = new_volume(client, "kept")
    client.call("compute", "POST", f"{path}/os-volume_attachments", {"volumeAttachment": {"volumeId": volume}})
    wait_for(lambda: volume_status(client, volume) == "in-use", 20, what="the volume")
    before = client.call("compute", "GET", path)["server"]
    used = client.call("compute", "GET", "/limits")["limits"]["absolute"]["totalInstancesUsed"]
    shown = deleted(client, server)
    assert (shown["OS-EXT-STS:vm_state"], shown["OS-EXT-STS:task_state"]) == ("soft-delete", None)
    assert power(keeping, server) == 4 and volume_status(client, volume) == "in-use"
    assert server not in ids(client) and server in ids(client, "status=SOFT_DELETED") and server in ids(client, "soft_deleted=1")
    assert client.call("compute", "GET", "/limits")["limits"]["absolute"]["totalInstancesUsed"] == used - 1
    for body in ({"os-start": None}, {"reboot": {"type": "HARD"}}, {"createImage": {"name": "x"}}, {"os-stop": None}):
        refused(409, client, "compute", "POST", f"{path}/action", body)
    client.call("compute", "DELETE", path)  # again
    assert client.call("compute", "GET", path)["server"]["status"] == "SOFT_DELETED"
    act(client, server, "restore")
    shown = wait_status(client, server)
    assert shown["addresses"] == before["addresses"] and power(keeping, server) == 1
    assert shown["os-extended-volumes:volumes_attached"] == [{"id": volume, "delete_on_termination": False}]
    refused(409, client, "compute", "POST", f"{path}/action", {"restore": None})
    done = [a["action"] for a in client.call("compute", "GET", f"{path}/os-instance-actions")["instanceActions"]]
    assert done[:2] == ["restore", "delete"]
    client.call("compute", "DELETE", f"{path}/os-volume_attachments/{volume}")
    wait_for(lambda: volume_status(client, volume) == "available", 20, what="the volume")
    client.call("volume", "DELETE", f"/volumes/{volume}")


@pytest.mark.parametrize("action", ["os-stop", "pause", "suspend"])
def test_a_server_that_did_not_run_is_kept_too(keeping, server, action):
    client = keeping.client
    act(client, server, action)
    wait_status(client, server, {"os-stop": "SHUTOFF", "pause": "PAUSED", "suspend": "SUSPENDED"}[action])
    deleted(client, server)
    assert power(keeping, server) == 4
    act(client, server, "restore")
    wait_status(client, server)


def test_a_server_is_deleted_for_good_by_force(keeping, server):
    deleted(keeping.client, server)
    act(keeping.client, server, "forceDelete")
    wait_gone(keeping.client, server)


def test_a_rescued_server_is_deleted_immediately(keeping):
    client = keeping.client
    made = client.call("compute", "POST", "/servers", server_body(client, "rescued"))["server"]["id"]
    wait_status(client, made)
    act(client, made, "rescue")
    wait_status(client, made, "RESCUE")
    client.call("compute", "DELETE", f"/servers/{made}")
    wait_gone(client, made)


def test_who_restores_what(keeping, member, server):
    client, path = keeping.client, f"/servers/{server}/action"
    deleted(client, server)
    refused(404, member, "compute", "POST", path, {"restore": None})
    assert server not in ids(member, "status=SOFT_DELETED")
    where = f"/os-quota-sets/{client.project_id}"
    used = client.call("compute", "GET", f"{where}/detail")["quota_set"]["instances"]["in_use"]
    client.call("compute", "PUT", where, {"quota_set": {"instances": used}})
    assert "Quota exceeded for instances" in refused(403, client, "compute", "POST", path, {"restore": None})
    client.call("compute", "DELETE", where)
    act(client, server, "restore")
    wait_status(client, server)
