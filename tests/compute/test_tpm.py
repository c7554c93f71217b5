"""Emulated TPMs: who runs them, what they keep and who may read it, and how it gets to another host."""

import contextlib
import os
import pathlib
import shutil
import socket
import struct
import tempfile

import pytest

from common import errors
from common.periodic import wait_for
from compute_agent.virt.libvirt import tpm
from compute_agent.virt.libvirt.users import Users

UUID = "11111111-2222-4333-8444-00000000007f"
KEY, OTHER_KEY = "ab" * 32, "cd" * 32
FIRST = 1810000000
CMD_INIT, CMD_SET_DATAFD = 2, 16  # of swtpm_ioctls(3)

pytestmark = pytest.mark.skipif(os.geteuid() != 0 or not tpm.versions(), reason="needs root and swtpm")


@pytest.fixture
def sockets(monkeypatch):
    made = pathlib.Path(tempfile.mkdtemp(prefix="pileus-tpms-", dir="/var/tmp"))
    monkeypatch.setattr(tpm, "SOCKETS", made)
    yield made
    shutil.rmtree(made)


@pytest.fixture
def host(sockets):
    """(name, key) -> what a host has for the guest"""
    made = []

    def host(name: str, key: str | None = KEY) -> tpm.Tpms:
        home = sockets / name / UUID
        home.mkdir(mode=0o711, parents=True)
        home.parent.chmod(0o711)
        made.append(tpm.Tpms(home.parent, Users(home.parent, FIRST, 100, "nogroup"), lambda uuid: key))
        return made[-1]
    yield host
    for each in made:
        each.stop(UUID)


@contextlib.contextmanager
def connected():
    """As QEMU, but as root."""
    with socket.socket(socket.AF_UNIX) as control:
        control.connect(tpm.socket_path(UUID))
        control.settimeout(10)
        ours, its = socket.socketpair()
        with ours, its:
            socket.send_fds(control, [struct.pack(">I", CMD_SET_DATAFD)], [its.fileno()])
            assert control.recv(4096)[:4] == bytes(4)
            its.close()
            yield control


def asked(control: socket.socket, command: int, arguments: bytes = b"") -> int:
    """The result that swtpm answers with: 0 is success."""
    control.sendall(struct.pack(">I", command) + arguments)
    return struct.unpack(">I", control.recv(4096)[:4])[0]


def started(control: socket.socket) -> bool:
    return asked(control, CMD_INIT, struct.pack(">I", 0)) == 0


def pid() -> int:
    return int(pathlib.Path(f"{tpm.socket_path(UUID)}.pid").read_text())


def gone(number: int) -> None:
    def has_ended() -> bool:
        with contextlib.suppress(FileNotFoundError):
            return "State:\tZ" in pathlib.Path(f"/proc/{number}/status").read_text()  # if nobody reaps it here
        return True
    wait_for(has_ended, 10, what="the end of swtpm")


@pytest.mark.parametrize("version", tpm.versions())
def test_a_tpm_runs_as_a_user_of_its_own_and_ends_with_its_guest(host, version):
    one = host("one")
    one.start(UUID, version)
    guest, own = one.users.of(UUID), one.users.of(f"{UUID}/tpm")
    assert guest and own and guest != own
    socket_file = os.stat(tpm.socket_path(UUID))
    assert (socket_file.st_uid, socket_file.st_mode & 0o777) == (guest[0], 0o600)
    state = one.path / UUID / "tpm" / "state"
    assert (state.stat().st_uid, state.stat().st_mode & 0o777) == (own[0], 0o700)
    number = pid()
    status = pathlib.Path(f"/proc/{number}/status").read_text()
    assert f"Uid:\t{own[0]}\t{own[0]}\t{own[0]}" in status and "Seccomp:\t2" in status and "CapEff:\t0000000000000000" in status
    assert KEY not in pathlib.Path(f"/proc/{number}/cmdline").read_text()
    with connected() as control:
        assert started(control)
        (kept,) = state.glob("*.permall")
        assert (kept.stat().st_uid, kept.stat().st_mode & 0o777) == (own[0], 0o600)
    gone(number)


def test_a_start_takes_the_place_of_one_whose_guest_did_not_start(host):
    one = host("one")
    one.start(UUID, "2.0")
    first = pid()
    one.start(UUID, "2.0")
    gone(first)
    with connected() as control:
        assert started(control)
    last = pid()
    one.stop(UUID)
    one.stop(UUID)
    gone(last)
    assert not os.path.exists(tpm.socket_path(UUID))


def test_a_process_that_has_the_number_by_now_is_left_alone(host, sockets):
    one = host("one")
    pathlib.Path(f"{tpm.socket_path(UUID)}.pid").write_text(str(os.getpid()))
    one.stop(UUID)  # else these tests would end here


def test_what_it_remembers_moves_and_is_of_use_with_its_key_alone(host):
    one, two, thief = host("one"), host("two"), host("three", OTHER_KEY)
    assert one.export(UUID) == []
    one.start(UUID, "2.0")
    with connected() as control:
        assert started(control)
    (path,) = one.export(UUID)
    for other, works in ((two, True), (thief, False)):
        shutil.copy(path, other.path / UUID / f"{tpm.OFFERED}.part")
        other.adopt(UUID)
        other.start(UUID, "2.0")
        with connected() as control:
            assert started(control) == works
    state = two.path / UUID / "tpm" / "state" / "tpm2-00.permall"
    assert not (two.path / UUID / "tpm" / "arrived").exists() and state.read_bytes() == pathlib.Path(path).read_bytes()


@pytest.mark.parametrize("plant", [
    lambda file, outside: file.symlink_to(outside), lambda file, outside: os.link(outside, file),
    lambda file, _: os.mkfifo(file)], ids=["a link", "another name", "a pipe"])
def test_nothing_else_of_the_host_leaves_it_in_its_place(host, sockets, plant):
    one, outside = host("one"), sockets / "secret"
    outside.write_text("of root")
    one.start(UUID, "2.0")
    with connected() as control:
        assert started(control)
    file = one.path / UUID / "tpm" / "state" / "tpm2-00.permall"
    file.unlink()
    plant(file, outside)
    with contextlib.suppress(errors.StepFailed):
        assert one.export(UUID) == []
    assert not (one.path / UUID / tpm.OFFERED).exists()


def test_without_a_key_it_does_not_start(host):
    with pytest.raises(errors.StepFailed):
        host("one", None).start(UUID, "2.0")


@pytest.mark.parametrize("missing", ["swtpm", "swtpm_setup", "swtpm_ioctl"])
def test_a_host_that_lacks_a_program_offers_none(monkeypatch, missing):
    found = shutil.which
    monkeypatch.setattr(tpm.shutil, "which", lambda name: None if name == missing else found(name))
    assert tpm.versions() == []
