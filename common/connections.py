"""Which connections end when there are too many, so that nobody can keep others out by opening many and saying nothing."""

import collections
import contextlib
import functools
import ipaddress
import os
import socket
import threading
import time


def shut(end: socket.socket) -> None:
    """End a connection that another thread may be using, or wake a thread that accepts at a TCP port. That thread closes the
    socket: the next file that is opened would get the number that it still waits for. By another descriptor: the method of a TLS
    connection would take it from that thread, and green sockets have no such method on their class."""
    with contextlib.suppress(OSError), socket.socket(fileno=os.dup(end.fileno())) as same:
        same.shutdown(socket.SHUT_RDWR)


@functools.lru_cache(4096)
def _neighbourhood(address: str) -> str:
    """Addresses that one host may have: of IPv6, a network of 64 bits."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    return str(found) if found.version == 4 else str(ipaddress.ip_network((found, 64), strict=False))


class Crowd:
    """Counts open connections. One more than ``most`` ends another whose peer is waited for: of the address that has most of
    these, one that has nothing in progress, and of these the one that has been waited for longest. So who opens many ends his
    own, and a connection that is being served is never ended.

    :param patience_s: how long a peer is waited for in any case
    :param progress_s: the same for one that has something in progress
    """

    def __init__(self, most: int, patience_s: float = 0.0, progress_s: float = 0.0):
        self._most, self._patience_s, self._progress_s = most, patience_s, progress_s
        self._open, self._lock = 0, threading.Lock()
        self._waiting: dict[int, tuple[str, bool, float, socket.socket]] = {}

    @contextlib.contextmanager
    def member(self):
        """A connection is open."""
        with self._lock:
            self._open += 1
        self.trim(1)
        try:
            yield
        finally:
            with self._lock:
                self._open -= 1

    @contextlib.contextmanager
    def waiting(self, connection: socket.socket, address: str, *, in_progress: bool = False, since: float | None = None):
        """The peer of a member is waited for.

        :param in_progress: within a request or a response
        :param since: of ``time.monotonic``; now, if left out
        """
        key = id(connection)
        with self._lock:
            self._waiting[key] = (address, in_progress, time.monotonic() if since is None else since, connection)
        try:
            yield
        finally:
            with self._lock:
                self._waiting.pop(key, None)

    def trim(self, count: int | None = None) -> None:
        """End those that are too many, or ``count`` of them."""
        with self._lock:
            for _ in range(min(self._open - self._most, self._open if count is None else count)):
                if not self._end_one():
                    return

    def _end_one(self) -> bool:
        """Whether there was one. It counts until its thread has noticed, so a few more than necessary may end."""
        homes = {key: _neighbourhood(address) for key, (address, _, _, _) in self._waiting.items()}
        counts, now = collections.Counter(homes.values()), time.monotonic()
        most = max(counts.values(), default=0)
        found = [(in_progress, since, key) for key, (_, in_progress, since, _) in self._waiting.items()
                 if counts[homes[key]] == most and now - since >= (self._progress_s if in_progress else self._patience_s)]
        if found:
            shut(self._waiting.pop(min(found)[2])[3])
        return bool(found)
