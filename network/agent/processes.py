"""Programs that run on beside the agent: found by their pid file again, ended for sure."""

import os
import pathlib
import signal

from common.periodic import wait_for


def pid_of(pid_file: pathlib.Path, word: str) -> int | None:
    """The process that a file names, if it is still the one: ``word`` stands in its command."""
    try:
        pid = int(pid_file.read_text())
    except (OSError, ValueError):
        return None
    return pid if _is(pid, word) else None


def _is(pid: int, word: str) -> bool:
    """One that has ended has no command any more, whether or not its parent has noticed."""
    try:
        return word in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().decode()
    except (OSError, ValueError):
        return False


def end(pid: int, word: str) -> None:
    """End it, and wait until it is gone: some take their file away first, and keep their sockets for a moment more.

    :raises TimeoutError: it does not end within 5 seconds
    """
    os.kill(pid, signal.SIGTERM)
    wait_for(lambda: not _is(pid, word), 5, every_s=0.02, what=f"process {pid} to end")
