"""Daemons that keep running beside the agent: found by their pid file, and ended reliably."""

import os
import pathlib
import select
import signal


def pid_of(pid_file: pathlib.Path, word: str) -> int | None:
    """The process named by a pid file, if its command line still contains ``word``."""
    try:
        pid = int(pid_file.read_text())
    except (OSError, ValueError):
        return None
    return pid if word in _command(pid) else None


def _command(pid: int) -> str:
    """An ending process has no command line any more, although it may still have its sockets."""
    try:
        return pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().decode()
    except (OSError, ValueError):
        return ""


def end(pid: int, word: str) -> None:
    """End a process, and wait until it is gone, with its sockets.

    :raises TimeoutError: it does not end within 5 seconds
    """
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        command = _command(pid)
        if word in command:
            signal.pidfd_send_signal(handle, signal.SIGTERM)
        elif command:
            return  # the pid has been reused
        # Readable once the process has released everything, even before its parent has reaped it.
        if not select.select([handle], [], [], 5)[0] and word in _command(pid):
            raise TimeoutError(f"process {pid} does not end")
    except ProcessLookupError:
        return
    finally:
        os.close(handle)
