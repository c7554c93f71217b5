"""Emulated TPMs: a process of swtpm for each guest that has one.

libvirt would run every swtpm as one user. Here guests have users of their own, and so have their TPMs, so that
neither a broken QEMU nor a broken swtpm reads the state of another TPM. So this module starts swtpm, and libvirt only connects
QEMU to its socket (``external``). The process ends with QEMU.

In a guest's directory::

    tpm/user        who its swtpm runs as (``Users``)
    tpm/state/      belongs to that user: the state of the TPM, encrypted with a key that this host does not keep
    tpm/arrived     the same, received from another host, until the guest starts
    tpm.state       a copy for another host to fetch, while the server moves there
"""

import contextlib
import logging
import os
import pathlib
import shutil
import signal
import socket
import stat
import subprocess
from collections.abc import Callable

from common import errors
from compute_agent.virt.libvirt.users import Users

LOG = logging.getLogger(__name__)
SOCKETS = pathlib.Path("/run/pileus-tpms")
OFFERED, MOST_BYTES = "tpm.state", 1 << 22  # what another host fetches, and the most that it may have
_FILES = {"1.2": "tpm-00.permall", "2.0": "tpm2-00.permall"}
_PROGRAM, _START_S = "swtpm", 20


def versions() -> list[str]:
    """The versions that this host's swtpm emulates; none without swtpm's tools, which libvirt needs too."""
    if not (shutil.which(_PROGRAM) and shutil.which("swtpm_setup") and shutil.which("swtpm_ioctl")):
        return []
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        told = subprocess.run([_PROGRAM, "socket", "--print-capabilities"], capture_output=True, text=True, timeout=10).stdout
        return [version for version in _FILES if f'"tpm-{version}"' in told]
    return []


def socket_path(uuid: str) -> str:
    return f"{SOCKETS}/{uuid}.sock"


class Tpms:
    """
    :param path: of the guests' directories
    :param key_of: (uuid of a server) -> the key of its TPM's state, 64 hexadecimal digits; None: it has none on this host
    """

    def __init__(self, path: pathlib.Path, users: Users, key_of: Callable[[str], str | None]):
        self.path, self.users, self.key_of = path, users, key_of

    def _home(self, uuid: str) -> pathlib.Path:
        return self.path / uuid / "tpm"

    def start(self, uuid: str, version: str) -> None:
        """Start a TPM for a guest that is about to start; one that is left of an earlier start ends.

        :raises StepFailed: it does not start, or there is no key
        """
        self.stop(uuid)
        home = self._home(uuid)
        home.mkdir(mode=0o711, exist_ok=True)
        home.chmod(0o711)
        guest, own, key = self.users.of(uuid), self.users.of(f"{uuid}/tpm"), self.key_of(uuid)
        if guest is None or own is None or key is None:
            raise errors.StepFailed(reason="The host has no TPM for the server.")
        state = home / "state"
        state.mkdir(mode=0o700, exist_ok=True)
        os.chown(state, *own, follow_symlinks=False)
        self._unpack(home, version, own)
        self._run(uuid, state, version, guest, own, key)

    def _unpack(self, home: pathlib.Path, version: str, own: tuple[int, int]) -> None:
        """Put what came from another host where swtpm looks for it."""
        arrived = home / "arrived"
        if arrived.exists():
            self.users.give(arrived, own, 0o600)
            arrived.replace(home / "state" / _FILES[version])

    @staticmethod
    def _run(uuid: str, state: pathlib.Path, version: str, guest: tuple[int, int], own: tuple[int, int], key: str) -> None:
        SOCKETS.mkdir(mode=0o711, exist_ok=True)
        SOCKETS.chmod(0o711)
        path = pathlib.Path(socket_path(uuid))
        with contextlib.ExitStack() as stack:
            listening = stack.enter_context(socket.socket(socket.AF_UNIX))
            path.unlink(missing_ok=True)
            listening.bind(str(path))
            path.chmod(0o600)
            os.chown(path, *guest, follow_symlinks=False)
            listening.listen(1)  # before, nobody could connect
            key_end, told_end = _pipe(stack, key.encode()), stack.enter_context(os.fdopen(os.open(
                f"{path}.pid", os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600), "w+"))
            words = [_PROGRAM, "socket", *(["--tpm2"] if version == "2.0" else []), "--daemon", "--terminate",
                     "--ctrl", f"type=unixio,fd={listening.fileno()}", "--tpmstate", f"dir={state},mode=0600",
                     "--key", f"fd={key_end},format=hex,mode=aes-256-cbc", "--pid", f"fd={told_end.fileno()}",
                     "--seccomp", "action=kill"]
            try:
                done = subprocess.run(words, pass_fds=(listening.fileno(), key_end, told_end.fileno()), user=own[0], group=own[1],
                                      extra_groups=[], cwd="/", stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                      stderr=subprocess.DEVNULL, timeout=_START_S)
            except (OSError, subprocess.SubprocessError) as error:
                raise errors.StepFailed(reason="The server's TPM could not be started.", internal=str(error)) from error
            if done.returncode:
                raise errors.StepFailed(reason="The server's TPM could not be started.", internal=f"status {done.returncode}")
            os.fsync(told_end.fileno())

    def stop(self, uuid: str) -> None:
        """End a TPM whose guest does not run. Repeatable."""
        path = pathlib.Path(f"{socket_path(uuid)}.pid")
        with contextlib.suppress(OSError, ValueError):
            pid = int(path.read_text())
            # The number may be another process's by now: this one has the guest's directory among its arguments.
            if f"dir={self._home(uuid)}/state," in pathlib.Path(f"/proc/{pid}/cmdline").read_text():
                os.kill(pid, signal.SIGTERM)
        path.unlink(missing_ok=True)
        pathlib.Path(socket_path(uuid)).unlink(missing_ok=True)

    def export(self, uuid: str) -> list[str]:
        """[path of a copy of the state of a guest's TPM], for another host to fetch; [] if it has none.

        The directory is swtpm's, which could have put a link there to any file.
        """
        own, target = self.users.known(f"{uuid}/tpm"), self.path / uuid / OFFERED
        for name in _FILES.values() if own else ():
            try:
                handle = os.open(self._home(uuid) / "state" / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            except OSError:
                continue
            with open(handle, "rb") as source:
                found = os.fstat(handle)
                if not stat.S_ISREG(found.st_mode) or found.st_uid != own or found.st_size > MOST_BYTES:
                    raise errors.StepFailed(reason="The state of the server's TPM cannot be read.")
                target.unlink(missing_ok=True)
                with open(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as copy:
                    copy.write(source.read(MOST_BYTES))
            return [str(target)]
        return []

    def adopt(self, uuid: str) -> None:
        """Keep what came from another host until the guest starts."""
        part = self.path / uuid / f"{OFFERED}.part"
        if part.exists():
            self._home(uuid).mkdir(mode=0o711, exist_ok=True)
            part.replace(self._home(uuid) / "arrived")


def _pipe(stack: contextlib.ExitStack, content: bytes) -> int:
    """The reading end of a pipe that has this content, which is less than a pipe holds."""
    reading, writing = os.pipe()
    stack.callback(os.close, reading)
    os.write(writing, content)
    os.close(writing)
    return reading
