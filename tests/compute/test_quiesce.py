"""Images of running guests: who has an agent freezes its file systems, and who must, or is not copied."""

import libvirt
import pytest

from common import conf as conf_module
from common import errors
from compute_agent import conf
from compute_agent.virt.libvirt import driver as driver_module
from compute_agent.virt.libvirt.driver import LibvirtDriver

UUID = "11111111-2222-3333-4444-555555555555"


class Domain:
    def __init__(self, answers: bool):
        self.answers, self.asked = answers, []

    def _ask(self, what: str):
        self.asked.append(what)
        if not self.answers:
            raise libvirt.libvirtError("Guest agent is not responding")

    def fsFreeze(self):
        self._ask("freeze")

    def fsThaw(self):
        self._ask("thaw")


@pytest.fixture
def made(tmp_path, monkeypatch):
    """(driver, domain) of a guest with the properties given."""
    monkeypatch.setattr(driver_module, "kvm_works", lambda: False)

    def make(properties: dict, *, answers: bool = True):
        loaded = conf_module.load("compute-agent", conf.OPTS, str(tmp_path), {"libvirt.guest_uid_count": 0})
        driver, domain = LibvirtDriver(loaded), Domain(answers)
        monkeypatch.setattr(driver, "_domain", lambda uuid: domain)
        driver.files.directory(UUID).mkdir(exist_ok=True)
        driver.files.note_hardware({"uuid": UUID, "vcpus": 1, "memory_mb": 1, "flavor": {},
                                    "image_meta": {"properties": properties}})
        return driver, domain
    return make


def test_without_an_agent_nothing_is_asked(made):
    driver, domain = made({})
    driver.quiesce(UUID)
    driver.unquiesce(UUID)
    assert domain.asked == []


def test_an_agent_freezes_and_thaws(made):
    driver, domain = made({"hw_qemu_guest_agent": "yes"})
    driver.quiesce(UUID)
    driver.unquiesce(UUID)
    assert domain.asked == ["thaw", "freeze", "thaw"]


def test_an_agent_that_does_not_answer_matters_only_where_it_is_required(made):
    driver, _ = made({"hw_qemu_guest_agent": "yes"}, answers=False)
    driver.quiesce(UUID)
    driver, _ = made({"hw_qemu_guest_agent": "yes", "os_require_quiesce": "yes"}, answers=False)
    with pytest.raises(errors.StepFailed, match="could not be frozen"):
        driver.quiesce(UUID)
    driver.unquiesce(UUID)
