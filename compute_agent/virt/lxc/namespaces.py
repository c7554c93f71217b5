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
import struct
import subprocess

from common import errors

USERS = 65536  # of a container
# System calls, which have the same numbers on all architectures since Linux 5.1, and their flags (linux/mount.h).
_OPEN_TREE, _MOVE_MOUNT, _MOUNT_SETATTR = 428, 429, 442
_CLONE, _CLOEXEC, _FROM_EMPTY_PATH, _EMPTY_PATH, _ATTR_IDMAP, _HERE = 1, os.O_CLOEXEC, 4, 0x1000, 0x100000, -100
_LIBC = ctypes.CDLL(None, use_errno=True)
_ALONE = ("unshare", "--mount", "--net", "--ipc", "--uts", "--pid", "--fork", "--kill-child")
_MEMORY_BYTES, _CPU_S, _WALL_S = 1 << 30, 600, 1800


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
    result = _LIBC.syscall(number, *arguments)
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result


def mount_mapped(source: pathlib.Path, target: pathlib.Path, namespace: str) -> None:
    """Mount what is mounted at ``source`` at ``target`` too, where the users in it are those of the user namespace.

    :raises OSError: the kernel or the file system cannot do this
    """
    with contextlib.ExitStack() as stack:
        users = os.open(namespace, os.O_RDONLY | os.O_CLOEXEC)
        stack.callback(os.close, users)
        tree = _call(_OPEN_TREE, _HERE, ctypes.c_char_p(os.fsencode(source)), _CLONE | _CLOEXEC)
        stack.callback(os.close, tree)
        attributes = struct.pack("=QQQQ", _ATTR_IDMAP, 0, 0, users)  # struct mount_attr: set, clear, propagation, user namespace
        _call(_MOUNT_SETATTR, tree, ctypes.c_char_p(b""), _EMPTY_PATH, ctypes.c_char_p(attributes), len(attributes))
        _call(_MOVE_MOUNT, tree, ctypes.c_char_p(b""), _HERE, ctypes.c_char_p(os.fsencode(target)), _FROM_EMPTY_PATH)


def run_confined(namespace: str, *words: str, stdin: int | None = None) -> subprocess.CompletedProcess:
    """Run a program that reads what users made as root of a user namespace, who has no rights on the host: without network, in
    namespaces of its own, with limits of memory and time.
    """
    def limits() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
        resource.setrlimit(resource.RLIMIT_CPU, (_CPU_S, _CPU_S))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    return subprocess.run(["nsenter", f"--user={namespace}", "--setuid=0", "--setgid=0", "--", *_ALONE, "--", *words],
                          capture_output=True, text=True, errors="replace", preexec_fn=limits, timeout=_WALL_S, cwd="/",
                          stdin=subprocess.DEVNULL if stdin is None else stdin,
                          env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"})
