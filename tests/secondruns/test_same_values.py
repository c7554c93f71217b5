"""Writing the values that a resource already has does not change its timestamps, as in OpenStack."""

import time

import pytest

from common.periodic import wait_for
from tests.conftest import new_volume
from tests.secondruns import terraform

METADATA = {"metadata": {"part": "web"}}
VOLUME = {"volume": {"name": "same", "description": "of a test", "metadata": {"part": "web"}}}
SNAPSHOT = {"snapshot": {"name": "same", "description": "of a test"}}
SERVER = {"server": {"name": "first", "description": "of a test", "accessIPv4": "192.0.2.1"}}


@pytest.fixture(scope="module")
def ids(cloud) -> dict[str, str]:
    """The ids of a volume, a snapshot of it, and a server."""
    volume = new_volume(cloud.client, "same")
    snapshot = cloud.client.call("volume", "POST", "/snapshots", {"snapshot": {"volume_id": volume}})["snapshot"]["id"]
    wait_for(lambda: cloud.client.call("volume", "GET", f"/snapshots/{snapshot}")["snapshot"]["status"] == "available", 20,
             what="the snapshot")
    return {"volume": volume, "snapshot": snapshot, "server": cloud.client.find("compute", "servers", "first")["id"]}


@pytest.mark.parametrize("service, kind, method, below, body, other", [
    ("volume", "volume", "PUT", "", VOLUME, {"volume": {"name": "other"}}),
    ("volume", "volume", "POST", "/metadata", METADATA, {"metadata": {"part": "other"}}),
    ("volume", "volume", "PUT", "/metadata", METADATA, {"metadata": {}}),
    ("volume", "snapshot", "PUT", "", SNAPSHOT, {"snapshot": {"name": "other"}}),
    ("volume", "snapshot", "PUT", "/metadata", METADATA, {"metadata": {}}),
    ("compute", "server", "PUT", "", SERVER, {"server": {"description": None}}),
    ("compute", "server", "POST", "/metadata", METADATA, {"metadata": {"part": "other"}}),
    ("compute", "server", "PUT", "/tags", {"tags": ["a", "b"]}, {"tags": ["b"]}),
])
def test_the_time_of_a_change(cloud, ids, service, kind, method, below, body, other):
    path = f"/{kind}s/{ids[kind]}"

    def changed_at(given: dict) -> str:
        cloud.client.call(service, method, path + below, given)
        shown = cloud.client.call(service, "GET", path)[kind]
        return shown.get("updated_at") or shown["updated"]
    first = changed_at(body)
    if service == "compute":
        time.sleep(1.1)  # it shows whole seconds
    assert changed_at(body) == first
    assert changed_at(other) > first


def test_a_public_key_reads_as_it_was_sent(cloud):
    """Terraform and Ansible send the contents of a file, with its newline, and replace a key that reads differently."""
    cloud.client.call("compute", "POST", "/os-keypairs", {"keypair": {"name": "same", "public_key": terraform.KEY}})
    assert cloud.client.call("compute", "GET", "/os-keypairs/same")["keypair"]["public_key"] == terraform.KEY
    assert terraform.KEY.endswith("\n")
