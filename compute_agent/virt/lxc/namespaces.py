"""User namespaces: a container's users are users of the host that nothing else is, and its root is nobody there.

A container's disk contains its own users' numbers. It is mounted through the container's user namespace (``mount_setattr(2)``,
Linux 5.12), so that no file need be given to another user when the disk goes to another host or becomes an image.
"""

import collections.abc
import contextlib
import ctypes
import os
import pathlib
import resource
import signal
import struct
import subprocess
import threading

from common import errors

USERS = 65536  # of a container
# System calls, which have the same numbers on all architectures since Linux 5.1, and their flags (linux/mount.h).
_OPEN_TREE, _MOVE_MOUNT, _MOUNT_SETATTR = 428, 429, 442
_CLONE, _CLOEXEC, _FROM_EMPTY_PATH, _EMPTY_PATH, _ATTR_IDMAP, _HERE = 1, os.O_CLOEXEC, 4, 0x1000, 0x100000, -100
_READ_ONLY, _NO_SETUID, _ALL_BELOW, _PRIVATE = 1, 2, 0x8000, 1 << 18
_END_WITH_PARENT = 1  # linux/prctl.h
_NEW_MOUNTS, _NEW_USERS = 0x20000, 0x10000000  # linux/sched.h
_LIBC = ctypes.CDLL(None, use_errno=True)
_ALONE = ("unshare", "--mount", "--net", "--ipc", "--uts", "--pid", "--fork", "--kill-child")
_MEMORY_BYTES, _CPU_S, _WALL_S = 1 << 30, 600, 1800
MOST_WORDS = 1 << 18  # of what a program says


@contextlib.contextmanager
def user_namespace(first: int) -> collections.abc.Iterator[str]:
    """The path of a user namespace whose users 0, 1, ... are the host's users ``first``, ``first`` + 1, ...

    :raises StepFailed: the host has no user namespaces
    """
    with subprocess.Popen(["unshare", "--user", "sh", "-c", "echo && exec cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL) as holder:
        assert holder.stdin and holder.stdout
        try:
            if not holder.stdout.readline():  # it is in its namespace as soon as the shell runs
                raise errors.StepFailed(reason="The host has no user namespaces, which containers need.")
            for kind in ("uid_map", "gid_map"):
                pathlib.Path(f"/proc/{holder.pid}/{kind}").write_text(f"0 {first} {USERS}\n")
            yield f"/proc/{holder.pid}/ns/user"
        finally:
            holder.stdin.close()


def _call(number: int, *arguments) -> int:
    return _call_libc("syscall", number, *arguments)


def _call_libc(name: str, *arguments) -> int:
    result = getattr(_LIBC, name)(*arguments)
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result


def _set_mount(place: int, path: str | os.PathLike, how: int, *attributes: int) -> None:
    """:param attributes: struct mount_attr: what is set, what is cleared, propagation, user namespace"""
    _call(_MOUNT_SETATTR, place, ctypes.c_char_p(os.fsencode(path)), how, ctypes.c_char_p(struct.pack("=QQQQ", *attributes)), 32)


def mount_mapped(source: pathlib.Path, target: pathlib.Path, namespace: str) -> None:
    """Mount what is mounted at ``source`` at ``target`` too, where the users in it are those of the user namespace, and setuid
    programs have the rights of these users.

    :raises OSError: the kernel or the file system cannot do this
    """
    with contextlib.ExitStack() as stack:
        users = os.open(namespace, os.O_RDONLY | os.O_CLOEXEC)
        stack.callback(os.close, users)
        tree = _call(_OPEN_TREE, _HERE, ctypes.c_char_p(os.fsencode(source)), _CLONE | _CLOEXEC)
        stack.callback(os.close, tree)
        _set_mount(tree, "", _EMPTY_PATH, _ATTR_IDMAP, _NO_SETUID, 0, users)
        _call(_MOVE_MOUNT, tree, ctypes.c_char_p(b""), _HERE, ctypes.c_char_p(os.fsencode(target)), _FROM_EMPTY_PATH)


def _confine(users: int, writable: pathlib.Path) -> None:
    """Enter a user namespace as its root. All of the host is read-only there, but one mount, and so is what other processes see
    of it: ``/proc`` is empty.
    """
    _call_libc("unshare", _NEW_MOUNTS)
    _set_mount(_HERE, "/", _ALL_BELOW, _READ_ONLY, 0, _PRIVATE, 0)
    _set_mount(_HERE, writable, 0, 0, _READ_ONLY, 0, 0)
    _call_libc("mount", b"none", b"/proc", b"tmpfs", ctypes.c_ulong(_READ_ONLY), None)
    os.setgroups([])
    _call_libc("setns", users, _NEW_USERS)
    os.setresgid(0, 0, 0)
    os.setresuid(0, 0, 0)
    _call_libc("prctl", _END_WITH_PARENT, signal.SIGKILL)  # what a killed agent has begun would hold the disk


def run_confined(namespace: str, writable: pathlib.Path, *words: str, stdin: int | None = None) -> tuple[bool, str]:
    """Run a program that reads what users made as root of a user namespace, who has no rights on the host: without network, in
    namespaces of its own, with limits of memory, time and output.

    :param writable: a mount, the only one that the program can write to
    :returns: whether it ended well, and what it said on its standard error
    """
    def limits() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
        resource.setrlimit(resource.RLIMIT_CPU, (_CPU_S, _CPU_S))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        _confine(users, writable)
    users = os.open(namespace, os.O_RDONLY | os.O_CLOEXEC)
    try:
        program = subprocess.Popen(
            [*_ALONE, "--", *words], cwd="/", env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"},
            preexec_fn=limits, stdin=subprocess.DEVNULL if stdin is None else stdin, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE)
    finally:
        os.close(users)
    with program:
        assert program.stderr
        limit = threading.Timer(_WALL_S, program.kill)
        limit.start()
        try:
            said = program.stderr.read(MOST_WORDS)
            if len(said) == MOST_WORDS:  # an image has it complain without end
                program.kill()
            ended = program.wait()
        finally:
            limit.cancel()
            program.kill()
    return ended == 0, said.decode(errors="replace")
