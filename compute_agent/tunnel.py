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
import typing
from collections.abc import Callable

from common import offers

LOG = logging.getLogger(__name__)
IDLE_S = 60.0  # an offer ends if there has been no channel for so long
OPEN_S = 5.0  # within which a target answers that accepts channels
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


class Incoming(offers.Server):
    """The target's end: accepts channels until it is closed, or none has been open for IDLE_S.

    :param channels: {name: where it leads to}
    """

    name = "incoming-migration"

    def __init__(self, address: str, channels: Channels):
        self._channels = channels
        super().__init__(address, IDLE_S, SILENCE_S)

    def answer(self, secure, asked):
        if asked["channel"] is None:  # the source wants to know whether it is let in
            return
        channel = self._channels[asked["channel"]]
        with channel.connect() as plain:
            _Relay(secure, plain, channel.checked()).run()


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

    def is_open(self) -> bool:
        """Whether the target still accepts channels."""
        try:
            offers.take(self._offer, OPEN_S, channel=None).close()
        except OSError as error:
            LOG.info("the offer of %s has ended: %s", self._offer["address"], error)
            return False
        return True

    def connect(self, channel: str) -> ssl.SSLSocket:
        """:raises OSError: the target does not answer, or the offer has ended"""
        return offers.take(self._offer, SILENCE_S, channel=channel)

    def listen(self, channel: str, path: str, owner: int = 0, checked: Callable[[], Callable[[bytes], bytes]] = lambda: bytes
               ) -> None:
        """Listen on a Unix socket, which only ``owner`` and root may use, and connect whoever connects to the channel.

        :param checked: as of ``Channel``, of what the target sends
        """
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        with contextlib.ExitStack() as undo:
            listening = undo.enter_context(socket.socket(socket.AF_UNIX))
            before = os.umask(0o177)
            try:
                listening.bind(path)
            finally:
                os.umask(before)
            os.chown(path, owner, -1)
            listening.listen(8)
            undo.pop_all()
        ours, ended = socket.socketpair()
        self._ends.callback(ours.close)
        threading.Thread(target=self._serve, args=(channel, listening, ended, checked), daemon=True,
                         name="migration-tunnel").start()

    def _serve(self, channel: str, listening: socket.socket, ended: socket.socket, checked: Callable) -> None:
        """:param ended: readable when the tunnel ends. Neither close nor shutdown would wake a green thread that accepts"""
        with listening, ended, selectors.DefaultSelector() as waiting:
            for end in (listening, ended):
                waiting.register(end, selectors.EVENT_READ)
            while all(key.fileobj is listening for key, _ in waiting.select()):
                plain = listening.accept()[0]
                threading.Thread(target=self._carry, args=(channel, plain, checked), daemon=True,
                             name="migration-channel").start()

    def _carry(self, channel: str, plain: socket.socket, checked: Callable) -> None:
        try:
            with plain, self.connect(channel) as secure:
                self._ends.callback(offers.shut, secure)
                _Relay(secure, plain, checked()).run()
        except OSError as error:
            LOG.info("the channel %s of a live migration ended: %s", channel, error)
