"""Which /dev/kvm libvirt gets to see, without a libvirt."""

import pytest

from compute_agent.virt.libvirt import kvm
from deploy import hypervisor


@pytest.mark.parametrize(("flags", "exists", "runs", "works"), [
    ("vme de vmx sse", True, True, True),
    ("vme de svm sse", True, True, True),
    ("vme de sse", True, True, False),   # opens and runs a few instructions, but no firmware
    ("vmxfoo notsvm", True, True, False),
    ("vmx", True, False, False),
    ("vmx", False, True, False)])
def test_kvm_is_believed_only_when_all_of_it_works(tmp_path, monkeypatch, flags, exists, runs, works):
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text(f"model name: x\nflags\t\t: {flags}\n")
    monkeypatch.setattr(kvm, "CPUINFO", cpuinfo)
    monkeypatch.setattr(kvm, "DEVICE", str(cpuinfo if exists else tmp_path / "none"))
    monkeypatch.setattr(kvm, "_trial", lambda: runs)
    assert kvm.kvm_works() is works


def test_a_trial_that_fails_or_hangs_is_no_kvm(tmp_path, monkeypatch):
    for text in ("raise SystemExit(1)", "import time; time.sleep(60)"):
        program = tmp_path / "trial.py"
        program.write_text(text)
        monkeypatch.setattr(kvm, "__file__", str(program))
        monkeypatch.setattr(kvm, "TRIAL_S", 0.5)
        assert kvm._trial() is False


class Systemd:
    """Records systemctl; libvirtd runs, and sees the device until it is restarted with a drop-in."""

    def __init__(self, monkeypatch, tmp_path, works: bool):
        self.calls: list[tuple] = []
        self.sees = True
        self.drop_in = tmp_path / "libvirtd.conf"
        monkeypatch.setattr(hypervisor, "systemd", lambda: True)
        monkeypatch.setattr(hypervisor, "run", self.run)
        monkeypatch.setattr(hypervisor, "answers", lambda: True)
        monkeypatch.setattr(hypervisor, "kvm_works", lambda: works)
        monkeypatch.setattr(hypervisor, "DEVICE", str(tmp_path))  # it is there
        monkeypatch.setattr(hypervisor, "UNITS", ("libvirtd",))
        monkeypatch.setattr(hypervisor, "_drop_in", lambda unit: self.drop_in)
        monkeypatch.setattr(hypervisor, "pids", lambda name: [7])
        monkeypatch.setattr(hypervisor, "sees_kvm", lambda pid: self.sees)

    def run(self, *words, check=True):
        self.calls.append(words[1:])
        if words[1] == "restart":
            self.sees = not self.drop_in.exists()


def test_systemd_hides_a_kvm_that_does_not_work_and_restarts_only_when_needed(monkeypatch, tmp_path):
    made = Systemd(monkeypatch, tmp_path, works=False)
    hypervisor.ensure_libvirt()
    assert made.calls == [("daemon-reload",), ("restart", "libvirtd")]
    assert f"InaccessiblePaths=-{tmp_path}" in made.drop_in.read_text()
    made.calls.clear()
    hypervisor.ensure_libvirt()
    assert not made.calls


def test_systemd_shows_a_kvm_again_that_works(monkeypatch, tmp_path):
    made = Systemd(monkeypatch, tmp_path, works=True)
    hypervisor.ensure_libvirt()
    assert not made.calls
    made.drop_in.write_text("of an earlier run")
    made.sees = False
    hypervisor.ensure_libvirt()
    assert made.calls == [("daemon-reload",), ("restart", "libvirtd")] and not made.drop_in.exists()


@pytest.mark.parametrize("works", [True, False])
def test_without_systemd_a_libvirtd_that_sees_a_useless_kvm_is_restarted_without_it(monkeypatch, tmp_path, works):
    ran: list[tuple] = []
    running = {"libvirtd": [7], "virtlogd": [8]}

    def run(*words, check=True, **more):
        ran.append(words)
        if "libvirtd" in words:
            running["libvirtd"] = [9]

    def stop(name):
        running[name] = []
    monkeypatch.setattr(hypervisor, "systemd", lambda: False)
    monkeypatch.setattr(hypervisor, "kvm_works", lambda: works)
    monkeypatch.setattr(hypervisor, "answers", lambda: True)
    monkeypatch.setattr(hypervisor, "pids", lambda name: running.get(name, []))
    monkeypatch.setattr(hypervisor, "sees_kvm", lambda pid: pid == 7)
    for name, value in (("run", run), ("stop", stop), ("DEVICE", str(tmp_path)), ("MASK", tmp_path / "mask")):
        monkeypatch.setattr(hypervisor, name, value)
    monkeypatch.setattr(hypervisor.os, "makedirs", lambda *a, **k: None)
    monkeypatch.setattr(hypervisor.os, "chmod", lambda *a: None)
    monkeypatch.setattr(hypervisor.os, "mknod", lambda path, *a: path.touch())
    hypervisor.ensure_libvirt()
    if works:
        assert ran == []
    else:
        (words,) = ran
        assert words[:4] == ("unshare", "--mount", "--propagation", "slave") and words[-2:] == ("libvirtd", "-d")
        assert f'mount --bind "$0" {tmp_path} && exec "$@"' in words and str(tmp_path / "mask") in words
    ran.clear()
    hypervisor.ensure_libvirt()
    assert ran == []
