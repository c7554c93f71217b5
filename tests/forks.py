"""Clouds without a hypervisor that are forked from a process that has imported the daemons and made their databases once.

The tests start dozens of clouds, and that was half of the work of each start. From there on a cloud does what one that was
started by itself does.
"""

import atexit
import json
import os
import pathlib
import subprocess
import sys
import threading

from common.periodic import wait_for

ROOT = pathlib.Path(__file__).resolve().parent.parent


class Forked:
    """A forked process, to be used as a ``subprocess.Popen``."""

    def __init__(self, nursery: "Nursery", pid: int):
        self._nursery, self.pid, self.returncode = nursery, pid, None

    def poll(self) -> int | None:
        if self.returncode is None:
            self.returncode = self._nursery.ask(wait=self.pid)
        return self.returncode

    def wait(self, timeout_s: float = 60) -> int:
        """:raises subprocess.TimeoutExpired: it runs on"""
        try:
            wait_for(lambda: self.poll() is not None, timeout_s, every_s=0.02)
        except TimeoutError:
            raise subprocess.TimeoutExpired(f"pid {self.pid}", timeout_s) from None
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:  # until it was waited for, its pid is no other's
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(15)

    def kill(self) -> None:
        self.send_signal(9)


class Nursery:
    """The process that forks them; it ends with this one, and they with it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process = subprocess.Popen([sys.executable, "-m", "tests.forking"], cwd=ROOT, stdin=subprocess.PIPE,
                                         stdout=subprocess.PIPE)
        atexit.register(self._end)

    def _end(self) -> None:
        self._process.communicate(timeout=20)

    def ask(self, **request):
        with self._lock:
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
            self._process.stdin.flush()
            return json.loads(self._process.stdout.readline())

    def start(self, module: str, words: list[str], stderr: str) -> Forked:
        """``python -m module words…`` with the environment of this process; standard error goes to a file."""
        return Forked(self, self.ask(module=module, words=words, stderr=stderr, environment=dict(os.environ)))


_NURSERY: list[Nursery] = []


def nursery() -> Nursery:
    """The one of this process, which is started when it is first needed."""
    if not _NURSERY:
        _NURSERY.append(Nursery())
    return _NURSERY[0]
