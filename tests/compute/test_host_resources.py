"""What a libvirt host reports of itself."""

import logging

import libvirt
import pytest

from common import conf as conf_module
from common import errors
from common.messages import Shape
from compute_agent import conf
from compute_agent.virt.libvirt import driver as driver_module
from compute_agent.virt.libvirt.driver import LibvirtDriver
from compute_api.placement.provider import Provider
from conductor.messages import HostResources


@pytest.fixture
def driver(tmp_path, monkeypatch):
    monkeypatch.setattr(driver_module, "kvm_works", lambda: False)
    return LibvirtDriver(conf_module.load("compute-agent", conf.OPTS, str(tmp_path), {"libvirt.guest_uid_count": 0}))


@pytest.mark.parametrize(("broken", "error", "problem"), [
    ("getVersion", libvirt.libvirtError("no emulator"), "Failed to query libvirt: no emulator"),
    ("getCapabilities", libvirt.libvirtError("no"), "Failed to query libvirt: no"),
    ("getVersion", errors.ServiceUnavailable(part="it", internal="no socket"), "Connection to libvirt lost: no socket")])
def test_a_host_whose_hypervisor_cannot_be_examined_reports_all_the_same(driver, monkeypatch, caplog, broken, error, problem):
    def call(method: str, *args):
        if method == broken:
            raise error
        return 8000000
    monkeypatch.setattr(driver.watched, "call", call)
    monkeypatch.setattr(driver.watched, "generation", lambda: "1")
    with caplog.at_level(logging.ERROR):
        found = [driver.host_resources() for _ in range(2)][1]
    assert Shape(HostResources).read(found) == found and found["vcpus"] and found["memory_mb"]
    assert found["facts"]["unusable"] and "features" not in found["facts"] and found["facts"]["problem"] == problem
    assert len(caplog.records) == 1, "it is logged once, not with each heartbeat"
    assert "COMPUTE_STATUS_DISABLED" in Provider({**found, "disabled": False}, {}, {}).traits
