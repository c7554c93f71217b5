"""Programs that run on beside the agent: found by their pid file again, ended for sure."""

import os
import pathlib
import select
import signal


def pid_of(pid_file: pathlib.Path, word: str) -> int | None:
    """The process that a file names, if it is still the one: ``word`` stands in its command."""
    try:
        pid = int(pid_file.read_text())
    except (OSError, ValueError):
        return None
    return pid if word in _command(pid) else None


def _command(pid: int) -> str:
    """One that is ending has none any more, though it may still have its sockets."""
    try:
        return pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().decode()
    except (OSError, ValueError):
        return ""


def end(pid: int, word: str) -> None:
    """End it, and wait until it is gone: its file goes first, then its command, and its sockets last.

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
            return  # another process has the number by now
        # Readable when it has given back all that it had, also while its parent has not noticed.
        if not select.select([handle], [], [], 5)[0] and word in _command(pid):
            raise TimeoutError(f"process {pid} does not end")
    except ProcessLookupError:
        return
    finally:
        os.close(handle)
