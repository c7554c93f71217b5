"""Programs that use openstacksdk, libcloud and Terraform's requests: a second run changes nothing, a third removes everything."""

import os
import pathlib
import subprocess

import pytest

from common.periodic import wait_for
from tests.conformance.environment import CACHE
from tests.secondruns import listing, sdk, terraform

LIBCLOUD = CACHE / "libcloud" / "venv" / "bin" / "python"
PROGRAM = pathlib.Path(__file__).with_name("with_libcloud.py")


def test_openstacksdk(cloud, tmp_path):
    image = tmp_path / "image"
    image.write_bytes(os.urandom(100_000))
    sdk.three_runs(cloud.client, cloud.environment(), (image, "raw"))


def test_libcloud(cloud):
    if not LIBCLOUD.exists():
        pytest.skip("libcloud is not installed: python -m tests.conformance.environment libcloud")

    def run(*words: str) -> None:
        done = subprocess.run([LIBCLOUD, PROGRAM, *words], env=cloud.environment(), capture_output=True, text=True, timeout=200)
        assert done.returncode == 0, done.stderr[-2000:]
    before = listing.everything(cloud.client)
    server = cloud.client.find("compute", "servers", "first", "/servers/detail")
    image = cloud.client.call("image", "GET", f"/images/{server['image']['id']}")["name"]
    run("present", image, "m1.nano", "private")
    made = listing.everything(cloud.client)
    assert len(made) - len(before) > 10
    run("present", image, "m1.nano", "private")
    listing.assert_same(made, listing.everything(cloud.client))
    run("absent")
    listing.assert_same(before, listing.everything(cloud.client))


def test_terraform(cloud):
    client = cloud.client
    before = listing.everything(client)
    provider = terraform.Provider(client, {"public": client.find("network", "networks", "public")["id"],
                                           "own": client.project_id})
    for resource in terraform.RESOURCES:
        provider.make(resource)
        if resource.until:
            wait_for(lambda r=resource: provider.status(r) == r.until, 60, what=f"{resource.name} to be {resource.until}")
    wait_for(lambda: provider.status(terraform.VOLUME) == "in-use", 20, what="the volume to be attached")
    made = listing.everything(client)
    assert not {r.name: found for r in terraform.RESOURCES if (found := provider.drift(r))}
    listing.assert_same(made, listing.everything(client))
    for resource in reversed(terraform.RESOURCES):
        provider.destroy(resource)
        if resource in (*terraform.STORES, *terraform.SERVERS):
            wait_for(lambda r=resource: provider.gone(r), 60, what=f"{resource.name} to go")
    listing.assert_same(before, listing.everything(client))


@pytest.mark.parametrize("written, read, is_same", [
    ({"a": 1}, {"a": 1, "b": 2}, True), ({"a": 1}, {"b": 2}, False), (["x", "y"], ["y", "x"], True), (["x"], ["x", "y"], False),
    ({"prefixes": ["x", "y"]}, {"prefixes": ["y", "x"]}, False), (None, "", False)])
def test_what_terraform_treats_as_equal(written, read, is_same):
    assert terraform.same(written, read) is is_same
