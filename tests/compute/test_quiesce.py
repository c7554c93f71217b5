"""The agent of a guest: whose file systems it freezes for images, and how long it is waited for."""

import threading

import libvirt
import pytest

from common import conf as conf_module
from common import context, errors
from compute_agent import conf
from compute_agent.virt.libvirt import driver as driver_module
from compute_agent.virt.libvirt import guest_agent
from compute_agent.virt.libvirt.driver import LibvirtDriver

UUID = "11111111-2222-3333-4444-555555555555"


class Domain:
    """As of libvirt, which waits for an agent without a limit unless it was given one."""

    def __init__(self, answers: bool):
        self.answers, self.asked, self.limits, self.acpi = answers, [], [], 0

    def _ask(self, what: str):
        assert self.limits, "it is waited for without a limit"
        self.asked.append(what)
        if not self.answers:
            libvirt.virResetLastError()  # an error that is made here would show what an earlier test left
            raise libvirt.libvirtError("Guest agent is not responding")

    def agentSetResponseTimeout(self, seconds: int, flags: int):
        self.limits.append(seconds)

    def state(self):
        return [libvirt.VIR_DOMAIN_RUNNING, 0]

    def setUserPassword(self, user: str, password: str):
        self._ask("password")

    def shutdownFlags(self, flags: int):
        assert flags == libvirt.VIR_DOMAIN_SHUTDOWN_ACPI_POWER_BTN
        self.acpi += 1

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


def test_a_password_waits_for_the_agent_a_limited_time(made):
    driver, domain = made({})
    assert driver.set_password(UUID, "root", "x") == "set" and domain.limits == [guest_agent.ANSWER_S]
    driver, domain = made({}, answers=False)
    assert driver.set_password(UUID, "root", "x") == "refused"


def test_guests_that_do_not_answer_do_not_take_all_calls_of_the_host(made, monkeypatch):
    """libvirt passes on five calls of a client at once."""
    driver, domain = made({"hw_qemu_guest_agent": "yes"})
    silent, waited_for = threading.Event(), threading.Semaphore(0)
    monkeypatch.setattr(guest_agent, "TURN_S", 0.05)

    def wait(*_):
        waited_for.release()
        assert silent.wait(20)
    domain.setUserPassword = domain.fsFreeze = domain.shutdown = wait
    calls = [lambda: driver.set_password(UUID, "root", "x"), lambda: driver.quiesce(UUID), lambda: driver.shut_down(domain)]
    threads = [of_project(f"p{n}", calls[n % 3]) for n in range(guest_agent.AT_ONCE)]
    for each in threads:
        each.start()
    for _ in threads:
        assert waited_for.acquire(timeout=20)
    driver.shut_down(domain)
    assert domain.acpi == 1, "the guest is asked in another way"
    driver.quiesce(UUID)
    driver.unquiesce(UUID)
    assert domain.asked[-1] == "thaw" and driver.set_password(UUID, "root", "x") == "refused"
    silent.set()
    for each in threads:
        each.join(20)
    assert not waited_for.acquire(blocking=False)


def of_project(project: str, call) -> threading.Thread:
    def work():
        context.activate(context.service_context(project_id=project))
        call()
    return threading.Thread(target=work, daemon=True)


def test_silent_guests_of_one_project_do_not_keep_those_of_others_waiting(made, monkeypatch):
    driver, domain = made({"hw_qemu_guest_agent": "yes"})
    silent, waited_for = threading.Event(), threading.Semaphore(0)

    def wait(*_):
        waited_for.release()
        assert silent.wait(20)
    slow = Domain(True)
    slow.setUserPassword = slow.fsThaw = wait
    own = threading.current_thread()
    monkeypatch.setattr(driver, "_domain", lambda uuid: domain if threading.current_thread() is own else slow)
    calls = [lambda: driver.set_password(UUID, "root", "x"), lambda: driver.unquiesce(UUID)]
    threads = [of_project("slow", call) for call in 6 * calls]
    for each in threads:
        each.start()
    at_once = guest_agent.AT_ONCE - guest_agent.KEPT + 1  # and one that is thawed
    for _ in range(at_once):
        assert waited_for.acquire(timeout=20)
    assert not waited_for.acquire(timeout=0.2)
    monkeypatch.setattr(guest_agent, "TURN_S", 0)
    driver.quiesce(UUID)
    assert driver.set_password(UUID, "root", "x") == "set"
    driver.unquiesce(UUID)
    assert domain.asked == ["thaw", "freeze", "password", "thaw"]
    silent.set()
    for each in threads:
        each.join(20)
