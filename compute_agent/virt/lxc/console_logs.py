"""Logs of containers' consoles. libvirt writes none for LXC, so the agent reads the consoles.

A console has a buffer, and a container that writes more than that while no agent runs waits for the next one. Nothing is lost.
"""

import logging
import os
import pathlib
import re
import select
import threading
import time

LOG = logging.getLogger(__name__)
_PTY = re.compile("/dev/pts/[0-9]+")
READ_BYTES, LOOK_S = 65536, 5.0
PAUSE_S = 0.02  # after each read: a container that writes without end waits, and does not use up the agent


class ConsoleLogs:
    """:param kept_bytes: of a log that has become twice as long"""

    def __init__(self, kept_bytes: int):
        self.kept_bytes = kept_bytes
        self._followed: set[str] = set()
        self._lock = threading.Lock()

    def follows(self, uuid: str) -> bool:
        return uuid in self._followed

    def follow(self, uuid: str, pty: str, log: pathlib.Path) -> None:
        """Append what comes from a console to a log, until the console ends."""
        with self._lock:
            if uuid in self._followed or not _PTY.fullmatch(pty):
                return
            try:
                handle = os.open(pty, os.O_RDONLY | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
            except OSError as error:
                LOG.debug("the console of instance %s cannot be read: %s", uuid, error)
                return
            self._followed.add(uuid)
        threading.Thread(target=self._copy, args=(uuid, handle, log), daemon=True, name=f"console-{uuid[:8]}").start()

    def _copy(self, uuid: str, handle: int, log: pathlib.Path) -> None:
        try:
            while True:
                if not select.select([handle], [], [], LOOK_S)[0]:
                    continue
                data = os.read(handle, READ_BYTES)
                if not data:
                    break
                self._append(log, data)
                time.sleep(PAUSE_S)
        except OSError as error:  # how a console ends
            LOG.debug("the console of instance %s has ended: %s", uuid, error)
        finally:
            os.close(handle)
            with self._lock:
                self._followed.discard(uuid)

    def _append(self, log: pathlib.Path, data: bytes) -> None:
        with open(os.open(log, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600), "r+b") as out:
            out.seek(0, os.SEEK_END)
            if out.tell() + len(data) > 2 * self.kept_bytes:
                out.seek(-min(out.tell(), self.kept_bytes), os.SEEK_END)
                data = (out.read() + data)[-self.kept_bytes:]
                out.truncate(0)
            out.write(data)
