"""libvirt keeps the contract of drivers, with guests that boot, a tgtd of the test's own and a tap."""

import base64
import os
import subprocess

import pytest

from common import conf as conf_module
from common.periodic import wait_for
from common.vault import seal_chap
from compute_agent import conf, virt
from compute_agent.virt.base import Injection
from deploy import host
from tests.compute.virt_contract import UUID, Kit, VirtContract
from volume import conf as volume_conf
from volume import drivers

pytestmark = pytest.mark.e2e
CONTROL, PORT = 78, 43261
VOLUME = "11111111-4444-4333-8444-555555555555"


@pytest.fixture(scope="module")
def tgtd(real):
    process = subprocess.Popen(["tgtd", "-f", "-C", str(CONTROL), "--iscsi", f"portal=127.0.0.1:{PORT}"],
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for(lambda: host.run("tgtadm", "-C", str(CONTROL), "--lld", "iscsi", "--mode", "target", "--op", "show",
                              check=False).returncode == 0, 10, what="tgtd")
    yield
    process.kill()
    process.wait()


@pytest.fixture
def exported(tgtd, directory):
    """(volume driver, connection info)"""
    driver = drivers.load(conf_module.load("volume", volume_conf.OPTS, str(directory), {
        "volume.driver": "file", "volume.tgt_control_port": CONTROL, "volume.iscsi_port": PORT, "my_ip": "127.0.0.1"}))
    driver.create(VOLUME, 1)
    connector = {"initiator": "iqn.2012-01.cloud.pileus:contract"}
    info = driver.connect(VOLUME, "a1", connector, {})

    def grow(size_gb: int) -> None:
        driver.extend(VOLUME, size_gb)
        driver.connect(VOLUME, "a1", {**connector, "io_paused": True}, info)
    yield info, grow
    driver.disconnect(VOLUME, "a1")
    driver.delete(VOLUME)


class TestLibvirt(VirtContract):
    @pytest.fixture
    def kit(self, exported, directory):
        info, grow = exported
        # Users of guests that no guest of the cloud itself has.
        loaded = conf_module.load("compute-agent", conf.OPTS, str(directory), {
            "agent.virt_driver": "libvirt", "cloud_id": "contract", "host": "contract",
            "libvirt.initiator": "iqn.2012-01.cloud.pileus:contract", "libvirt.guest_uid_first": 1800000000})
        volume = {"volume_id": VOLUME, "device_name": "/dev/vdd"}
        made = Kit(lambda: virt.load(loaded), directory, volume, image={"disk_format": "qcow2", "properties": {}},
                   files={"image": os.environ["PILEUS_GUEST_IMAGE"]}, grow=grow)
        volume["info"] = seal_chap(made.driver.vault, info["data"])
        tap = f"tap{made.port['id'][:11]}"
        # Only when it is needed: the network agent takes away taps that it does not know.
        made.plug = lambda: host.run("ip", "tuntap", "add", tap, "mode", "tap")
        made.booted = lambda: wait_for(lambda: b"login:" in made.driver.console_output(UUID), 240, every_s=1, what="a boot")
        yield made
        made.driver.destroy(UUID)
        made.driver.remove_files(UUID)
        host.run("ip", "link", "del", tap, check=False)

    def test_what_is_injected_is_there_when_a_guest_first_boots(self, kit):
        banner = {"path": "/etc/issue", "contents": base64.b64encode(b"injected into this image\n").decode()}
        kit.driver.prepare_disk(kit.instance, kit.files, Injection(-1, (banner,), "ssh-ed25519 AAAA me"))
        kit.driver.spawn(kit.instance, [], [], None)
        kit.booted()
        assert b"injected into this image" in kit.driver.console_output(UUID)
