"""A rebuild for which a host lacks hardware: refused by the API where the host has told so, else by the host."""

import types

import pytest

from common import conf as conf_module
from common import errors, guest_hardware, guest_needs
from compute_agent import conf, virt
from compute_agent.operations import Operations
from compute_agent.virt.libvirt.driver import LibvirtDriver
from compute_agent.virt.libvirt.pinning import Pinning
from compute_api.services import rebuild
from tests.compute.test_guest_xml import HOST

SERVER = {"uuid": "e0000001-0000-4000-8000-000000000000", "hostname": "h", "vcpus": 2, "memory_mb": 64, "vm_state": "active",
          "project_id": "p", "flavor": {"disk": 1, "ephemeral": 0}, "image_meta": {"id": "i", "properties": {}}}


def asking(**properties) -> dict:
    return {"id": "i", "properties": properties}


@pytest.fixture
def driver(tmp_path):
    made = virt.load(conf_module.load("compute-agent", conf.OPTS, str(tmp_path), {"agent.virt_driver": "fake"}))
    made.prepare_disk(SERVER, {})
    made.spawn(SERVER, [], [], None)
    return made


def test_the_host_checks_before_it_removes_the_disk(driver):
    """Its report may have been older, or of the release before."""
    downloads: list[str] = []
    agent = types.SimpleNamespace(driver=driver, image_files=lambda instance: downloads.append("image") or {},
                                  injection=lambda instance: None, rebuild_guest=lambda instance, **more: None)
    before = {p: p.read_bytes() for p in driver.path.rglob("*") if p.is_file()}
    with pytest.raises(errors.StepFailed, match="without hardware that the flavor or the image asks for .machine type isapc"):
        Operations(agent)._rebuild({**SERVER, "image_meta": asking(hw_machine_type="isapc")}, lambda: False)
    assert not downloads and {p: p.read_bytes() for p in driver.path.rglob("*") if p.is_file()} == before
    Operations(agent)._rebuild({**SERVER, "image_meta": asking(hw_firmware_type="uefi")}, lambda: False)
    assert downloads and SERVER["uuid"] not in driver.power_states()


@pytest.mark.parametrize(("amounts", "now", "then", "lacks"), [
    ({}, {}, {}, None),
    ({}, {}, {"hw_firmware_type": "uefi"}, "uefi"),
    ({guest_needs.DEDICATED_CPUS: 1}, {}, {"hw_cpu_policy": "dedicated"}, "2 dedicated CPUs"),
    ({guest_needs.DEDICATED_CPUS: 0}, {"hw_cpu_policy": "dedicated"}, {"hw_cpu_policy": "dedicated"}, None),
    ({guest_needs.NUMA_NODES: 1}, {"hw_numa_nodes": "1"}, {"hw_numa_nodes": "2"}, "2 NUMA nodes")])
def test_what_the_server_has_on_its_host_it_may_have_again(amounts, now, then, lacks):
    facts, row = {"features": [], "amounts": amounts}, {**SERVER, "image_meta": asking(**now)}
    if lacks is None:
        return rebuild._check_host(facts, row, asking(**then))
    with pytest.raises(errors.BadRequest, match=f"No valid host was found.*{lacks}"):
        rebuild._check_host(facts, row, asking(**then))


def test_a_guest_for_which_there_are_not_enough_cpus_keeps_those_that_it_has():
    pinning, small = Pinning(), guest_hardware.of(2, 1024, {"hw:cpu_policy": "dedicated", "hw:numa_nodes": "1"}, {})
    pinning.assign("s", small, HOST)
    had, memory = pinning.of("s"), pinning.memory_of("s")
    with pytest.raises(errors.StepFailed):
        pinning.assign("s", guest_hardware.of(9, 1024, {"hw:cpu_policy": "dedicated"}, {}), HOST)
    assert had and (pinning.of("s"), pinning.memory_of("s")) == (had, memory)


def test_the_check_of_a_host_takes_no_cpus_from_a_guest_that_runs():
    """Its image may be slow to come, or not come at all: until then it has what it had, and no other guest gets that."""
    driver, pinning, uuid = LibvirtDriver.__new__(LibvirtDriver), Pinning(), SERVER["uuid"]
    driver.pinning, driver._known = pinning, lambda: HOST
    driver.host_resources = lambda: {"facts": {"features": []}}
    pinning.assign(uuid, guest_hardware.of(1, 64, {"hw:cpu_policy": "dedicated", "hw:numa_nodes": "1"}, {}), HOST)
    had, memory = pinning.of(uuid), pinning.memory_of(uuid)
    instance = {**SERVER, "image_meta": asking(hw_cpu_policy="dedicated", hw_cpu_thread_policy="isolate")}
    driver.check_hardware(instance)
    assert had and (pinning.of(uuid), pinning.memory_of(uuid)) == (had, memory)
    pinning.assign("other", guest_hardware.of(6, 64, {"hw:cpu_policy": "dedicated"}, {}), HOST)
    with pytest.raises(errors.StepFailed):
        driver.check_hardware(instance)
    assert pinning.of(uuid) == had
