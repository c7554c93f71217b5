"""Guests that nobody here wrote: Debian with cloud-init, by its own kernel and ramdisk."""

import base64
import os
import pathlib
import re

import pytest

pytestmark = pytest.mark.e2e

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
    """(server that finds the metadata service by DHCP, its port, server on a network without DHCP and router, that network):
    nothing but the config drive can tell the second server anything.
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
    port = call("network", "POST", "/ports", {"port": {"network_id": real.networks["private"]}})["port"]["id"]
    return (real.boot("deb-service", networks=[{"port": port}], **more), port,
            real.boot("deb-drive", config_drive=True, networks=[{"uuid": lonely}], **more), lonely)


def test_debian_takes_everything_from_metadata_or_from_its_config_drive(real, debian):
    call = real.client.call
    by_service, port, by_drive, lonely = debian
    outside = real.floating_ip(by_service["id"])
    for server, source in ((by_service, "openstack"), (by_drive, "configdrive|config-drive|openstack")):
        console = real.wait_console(server["id"], " keys=1;", 600)
        assert "status: done" in console, console[-3000:]
        said = re.search(r"report: name=(\S+) source=(\S+) addresses=(.*?) keys=(\d+);", console)
        assert said, console[-2000:]
        fixed = next(iter(call("compute", "GET", f"/servers/{server['id']}")["server"]["addresses"].values()))[0]["addr"]
        assert said[1] == server["name"] and re.fullmatch(source, said[2]) and said[3].split() == [fixed]
        assert said[4] == "1"
    assert "status: done" in real.ssh(outside, "cloud-init status", 60, user="debian")
    told = call("compute", "GET", f"/servers/{by_service['id']}/diagnostics", version="2.1")
    assert 0 < told["memory-unused"] < told["memory-available"] <= 512 << 10, "its balloon driver reports every ten seconds"
    for server in (by_service, by_drive):
        real.delete(server["id"])
    assert call("network", "GET", f"/ports/{port}")["port"]["device_id"] == "", "its owner's port must stay, unbound"
    for path in (f"/ports/{port}", f"/networks/{lonely}"):
        call("network", "DELETE", path)
    real.audit()
