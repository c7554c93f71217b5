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
    """

    def __init__(self, most: int):
        self._most, self._open, self._lock = most, 0, threading.Lock()
        self._waiting: dict[int, tuple[str, bool, float, socket.socket]] = {}

    @contextlib.contextmanager
    def member(self):
        """A connection is open."""
        with self._lock:
            self._open += 1
            if self._open > self._most:
                self._end_one()
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

    def _end_one(self) -> None:
        if not self._waiting:
            return
        homes = {key: _neighbourhood(entry[0]) for key, entry in self._waiting.items()}
        counts = collections.Counter(homes.values())
        chosen = min(self._waiting, key=lambda key: (-counts[homes[key]], *self._waiting[key][1:3]))
        shut(self._waiting.pop(chosen)[3])
