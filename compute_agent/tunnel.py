"""Channels between the hypervisors of two hosts, for a guest that is migrated live.

The target offers a TLS port (``common.offers``) for one migration. The source opens channels through it by name, such as the
guest's memory or its disks; the target connects each to what the driver names. Neither hypervisor listens on the network.
"""

import contextlib
import dataclasses
import logging
import os
import selectors
import socket
import ssl
import threading
import time
import typing
from collections.abc import Callable

from common import offers

LOG = logging.getLogger(__name__)
IDLE_S = 60.0  # an offer ends if there has been no channel for so long
SILENCE_S = 300.0  # a channel breaks if one side accepts no data for so long
_BLOCK = 1 << 16  # more than a TLS record, so that no decrypted data remains when the socket is not readable


@dataclasses.dataclass(frozen=True)
class Channel:
    """
    ``connect``: connects to what the channel leads to on this host
    ``checked``: makes a function for each connection, which is given what the source sends, and returns what of it may pass by
        now; an OSError of it ends the channel
    """

    connect: Callable[[], socket.socket]
    checked: Callable[[], Callable[[bytes], bytes]] = lambda: bytes


Channels = dict[str, Channel]


class _Relay:
    """Copies bytes in both directions until one side closes. One thread does both, because two must not use a TLS connection at
    once; a side is read only when the other has taken what was read before.
    """

    def __init__(self, secure: ssl.SSLSocket, plain: socket.socket, checked: Callable[[bytes], bytes] = bytes):
        self._secure, self._checked = secure, checked
        self._other: dict[socket.socket, socket.socket] = {secure: plain, plain: secure}
        self._unsent: dict[socket.socket, memoryview] = dict.fromkeys(self._other, memoryview(b""))
        for end in self._other:
            end.setblocking(False)

    def run(self) -> None:
        """:raises TimeoutError: one side accepts no data"""
        with selectors.DefaultSelector() as ready:
            while True:
                for end, other in self._other.items():
                    wanted = (selectors.EVENT_WRITE if self._unsent[end] else 0) | (
                        0 if self._unsent[other] else selectors.EVENT_READ)
                    self._watch(ready, end, wanted)
                found = ready.select(SILENCE_S)
                if not found and any(self._unsent.values()):
                    raise TimeoutError("the other side accepts no data")
                for key, events in found:
                    with contextlib.suppress(BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                        if not self._pass(key.fileobj, events):
                            return

    @staticmethod
    def _watch(ready: selectors.BaseSelector, end: socket.socket, events: int) -> None:
        known = ready.get_map().get(end)
        if known is None and events:
            ready.register(end, events)
        elif known is not None and not events:
            ready.unregister(end)
        elif known is not None and known.events != events:
            ready.modify(end, events)

    def _pass(self, end: typing.Any, events: int) -> bool:
        """False: this side has closed."""
        if events & selectors.EVENT_WRITE:
            self._unsent[end] = self._unsent[end][end.send(self._unsent[end]):]
        if events & selectors.EVENT_READ:
            data = end.recv(_BLOCK)
            self._unsent[self._other[end]] = memoryview(self._checked(data) if end is self._secure else data)
            return bool(data)
        return True


def _shut(end: socket.socket) -> None:
    """End a channel that another thread may be reading from. By another descriptor: the method of a TLS connection would take it
    from that thread, and green sockets have no such method on their class."""
    with contextlib.suppress(OSError), socket.socket(fileno=os.dup(end.fileno())) as same:
        same.shutdown(socket.SHUT_RDWR)


class Incoming:
    """The target's end: accepts channels until it is closed, or none has been open for IDLE_S.

    :param channels: {name: where it leads to}
    """

    def __init__(self, address: str, channels: Channels):
        self._channels, self._port = channels, offers.Offer(address)
        self.described = self._port.described
        self._guard, self._open, self._until = threading.Lock(), set[socket.socket](), time.monotonic() + IDLE_S
        threading.Thread(target=self._serve, daemon=True, name="incoming-migration").start()

    def _serve(self) -> None:
        with self._port.socket as listening:
            while (left_s := self._left_s()) > 0:
                try:
                    listening.settimeout(left_s)
                    connection, peer = listening.accept()
                except TimeoutError:
                    continue
                except OSError:  # it was closed
                    return
                threading.Thread(target=self._answer, args=(connection, peer), daemon=True, name="migration-channel").start()

    def _left_s(self) -> float:
        with self._guard:
            return IDLE_S if self._open else self._until - time.monotonic()

    def _answer(self, connection: socket.socket, peer) -> None:
        try:
            secure, asked = self._port.admit(connection, SILENCE_S)
            channel = self._channels[asked["channel"]]
            with secure, channel.connect() as plain, self._lasting(secure):
                _Relay(secure, plain, channel.checked()).run()
        except (OSError, ValueError, KeyError, TypeError) as error:  # ssl.SSLError is an OSError
            LOG.info("a channel of a live migration from %s ended: %s", peer[0], error)

    @contextlib.contextmanager
    def _lasting(self, secure: socket.socket):
        with self._guard:
            self._open.add(secure)
        try:
            yield
        finally:
            with self._guard:
                self._open.discard(secure)
                self._until = time.monotonic() + IDLE_S

    def close(self) -> None:
        """Accept no more channels, and end those that are open."""
        _shut(self._port.socket)  # wakes who waits for a connection
        self._port.close()
        with self._guard:
            for secure in self._open:
                _shut(secure)


class Tunnel:
    """The source's end. A context manager: its sockets and channels exist as long as the block runs.

    :param offer: ``Incoming.described`` of the target
    """

    def __init__(self, offer: dict):
        self._offer, self._ends = offer, contextlib.ExitStack()

    def __enter__(self) -> "Tunnel":
        return self

    def __exit__(self, *about) -> None:
        self._ends.close()

    def connect(self, channel: str) -> ssl.SSLSocket:
        """:raises OSError: the target does not answer, or the offer has ended"""
        return offers.take(self._offer, SILENCE_S, channel=channel)

    def listen(self, channel: str, path: str, owner: int = 0) -> None:
        """Listen on a Unix socket, which only ``owner`` and root may use, and connect whoever connects to the channel."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        listening = socket.socket(socket.AF_UNIX)
        self._ends.callback(listening.close)
        before = os.umask(0o177)
        try:
            listening.bind(path)
        finally:
            os.umask(before)
        os.chown(path, owner, -1)
        listening.listen(8)
        threading.Thread(target=self._serve, args=(channel, listening), daemon=True, name="migration-tunnel").start()

    def _serve(self, channel: str, listening: socket.socket) -> None:
        while True:
            try:
                plain = listening.accept()[0]
            except OSError:  # it was closed
                return
            threading.Thread(target=self._carry, args=(channel, plain), daemon=True, name="migration-channel").start()

    def _carry(self, channel: str, plain: socket.socket) -> None:
        try:
            with plain, self.connect(channel) as secure:
                self._ends.callback(_shut, secure)
                _Relay(secure, plain).run()
        except OSError as error:
            LOG.info("the channel %s of a live migration ended: %s", channel, error)
