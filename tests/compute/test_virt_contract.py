"""The fake hypervisor keeps the contract of drivers."""


import pytest

from common import conf as conf_module
from compute_agent import conf, virt
from tests.compute.virt_contract import UUID, Kit, VirtContract


class TestFake(VirtContract):
    @pytest.fixture
    def kit(self, tmp_path):
        loaded = conf_module.load("compute-agent", conf.OPTS, str(tmp_path), {"agent.virt_driver": "fake", "cloud_id": "c"})
        return Kit(lambda: virt.load(loaded), tmp_path, {
            "volume_id": "v1", "device_name": "/dev/vdd", "info": {"driver_volume_type": "fake", "auth_password": "s"}})

    def test_the_size_of_a_detached_volume_is_unknown(self, kit):
        kit.spawn()
        kit.driver.attach_volume(UUID, kit.volume)
        kit.driver.extend_volume(UUID, "v1", 2)
        kit.driver.detach_volume(UUID, "v1")
        assert kit.driver.volume_size_gb(UUID, "v1") is None
