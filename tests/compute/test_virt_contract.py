"""What every hypervisor driver keeps. The real one is held to it by guests in tests/e2e; this runs where no root is."""

import pytest

from common import conf as conf_module
from common import errors, inspector, server_states
from compute_agent import conf, virt


@pytest.fixture(params=["fake"])
def driver(request, tmp_path):
    loaded = conf_module.load("compute-agent", conf.OPTS, str(tmp_path), {"agent.virt_driver": request.param})
    return virt.load(loaded)


UUID = "11111111-2222-3333-4444-555555555555"
INSTANCE = {"uuid": UUID, "project_id": "p", "hostname": "h", "memory_mb": 64, "vcpus": 1,
            "flavor": {"disk": 1}, "image_meta": {"disk_format": "raw", "properties": {}}}
VOLUME = {"volume_id": "v1", "device_name": "/dev/vdb", "info": {"driver_volume_type": "fake", "auth_password": "s"}}
PORT = {"id": "p1", "mac_address": "fa:16:3e:00:00:01"}


def spawn(driver):
    driver.prepare_disk(INSTANCE, {})
    driver.spawn(INSTANCE, [], [], None)


def test_life_of_a_guest_every_call_twice(driver):
    for _ in range(2):
        spawn(driver)
    assert driver.power_states() == {UUID: server_states.RUNNING}
    for _ in range(2):
        driver.power_off(UUID, timeout_s=1)
    assert driver.power_states() == {UUID: server_states.SHUTDOWN}
    for _ in range(2):
        driver.power_on(UUID)
    for _ in range(2):
        driver.pause(UUID)
    assert driver.power_states() == {UUID: server_states.PAUSED}
    for _ in range(2):
        driver.unpause(UUID)
    assert driver.power_states() == {UUID: server_states.RUNNING}
    for _ in range(2):
        driver.suspend(UUID)
    assert driver.power_states() == {UUID: server_states.SHUTDOWN}
    for _ in range(2):
        driver.snapshot(UUID, str(driver.path / "copy"))
    assert inspector.check(driver.path / "copy", "qcow2").virtual_bytes == 1 << 30
    (driver.path / "copy").unlink()
    driver.power_on(UUID)
    driver.reboot(UUID, timeout_s=1)
    assert driver.power_states() == {UUID: server_states.RUNNING}
    for _ in range(2):
        driver.attach_volume(UUID, VOLUME)
        driver.attach_interface(UUID, PORT)
    assert driver.attached_volumes(UUID) == ["v1"]
    for _ in range(2):
        driver.detach_volume(UUID, "v1")
        driver.detach_interface(UUID, PORT)
    assert driver.attached_volumes(UUID) == []
    assert isinstance(driver.console_output(UUID), bytes)
    for _ in range(2):
        driver.destroy(UUID)
        driver.remove_files(UUID)
    assert driver.power_states() == {} and driver.directories() == []


def test_guests_survive_a_restart_of_the_agent(driver):
    spawn(driver)
    assert virt.load(driver.conf).power_states() == {UUID: server_states.RUNNING}


def test_missing_guest_is_a_reason_not_a_crash(driver):
    with pytest.raises(errors.StepFailed):
        driver.power_on(UUID)


def test_resources_are_complete(driver):
    found = driver.host_resources()
    assert {"hypervisor_hostname", "vcpus", "memory_mb", "local_gb", "facts"} <= set(found)
    assert {"hypervisor_type", "hypervisor_version", "host_ip", "arch", "cpu_info"} <= set(found["facts"])


def test_a_guest_sees_that_a_volume_has_grown_once_it_runs(driver):
    spawn(driver)
    driver.attach_volume(UUID, VOLUME)
    for _ in range(2):
        driver.extend_volume(UUID, "v1", 2)
    assert driver.volume_size_gb(UUID, "v1") == 2
    driver.pause(UUID)
    driver.extend_volume(UUID, "v1", 3)
    assert driver.volume_size_gb(UUID, "v1") == 3
    driver.power_off(UUID, timeout_s=1)
    driver.extend_volume(UUID, "v1", 4)
    assert driver.volume_size_gb(UUID, "v1") is None


def test_a_volume_that_the_guest_has_not_is_a_reason(driver):
    spawn(driver)
    with pytest.raises(errors.StepFailed):
        driver.extend_volume(UUID, "v1", 2)
