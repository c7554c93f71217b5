"""Consoles of guests, relayed to console proxies.

Consoles do not listen on any port or socket. The driver opens a console for this process, which relays it to one proxy over TLS
(``common.offers``). When a guest stops, the hypervisor closes its consoles.
"""

import collections
import contextlib
import logging
import os
import selectors
import socket
import ssl
import threading
import time

from common import errors, offers

LOG = logging.getLogger(__name__)
CONNECT_S = 30.0  # until the proxy has connected
SILENCE_S = 60.0  # a relay ends if one side accepts no data for so long
ENDED_S = 1.0  # until a relay notices that another has replaced it
MAX_CONSOLES = 200  # each has a thread
MAX_CONSOLES_OF_GUEST = 16  # so that the users of one guest cannot take all of them
_BLOCK = 1 << 16  # more than a TLS record, so that no decrypted data remains when the socket is not readable


class Consoles:
    """:param address: address of this host that proxies connect to"""

    def __init__(self, driver, address: str):
        self.driver, self.address = driver, address
        self._places = threading.BoundedSemaphore(MAX_CONSOLES)
        # Each byte of a serial port goes to one reader only, so a new relay replaces the one before.
        self._ports: dict[str, threading.Event] = {}
        self._of_guest: collections.Counter[str] = collections.Counter()
        self._lock = threading.Lock()

    def open(self, uuid: str, kind: str) -> dict:
        """Open a console of a guest for one proxy.

        :param kind: "vnc" or "serial"
        :returns: ``offers.Offer.described``
        :raises StepFailed: the guest does not run, has no such console, or has too many open ones
        :raises ServiceUnavailable: too many consoles are open
        """
        if not self._places.acquire(blocking=False):
            raise errors.ServiceUnavailable(part="the guest's host, where too many consoles are open")
        with contextlib.ExitStack() as undo:
            undo.callback(self._places.release)
            self._count(uuid)
            undo.callback(self._uncount, uuid)
            guest = self.driver.open_console(uuid, kind)
            undo.callback(os.close, guest)
            os.set_blocking(guest, False)
            offer = offers.Offer(self.address)
            undo.callback(offer.close)
            ended = threading.Event()
            if kind == "serial":
                self._take_over(uuid, ended)
            threading.Thread(target=self._serve, args=(uuid, guest, offer, ended, undo.pop_all()), daemon=True,
                             name="console").start()
            return offer.described

    def count(self, uuid: str) -> int:
        """The number of open consoles of a guest."""
        with self._lock:
            return self._of_guest[uuid]

    def _count(self, uuid: str) -> None:
        with self._lock:
            if self._of_guest[uuid] >= MAX_CONSOLES_OF_GUEST:
                raise errors.StepFailed(reason="Too many consoles of this guest are open.")
            self._of_guest[uuid] += 1

    def _uncount(self, uuid: str) -> None:
        with self._lock:
            self._of_guest[uuid] -= 1
            if not self._of_guest[uuid]:
                del self._of_guest[uuid]

    def _take_over(self, uuid: str, ended: threading.Event) -> None:
        with self._lock:
            if before := self._ports.get(uuid):
                before.set()
            self._ports[uuid] = ended

    def _serve(self, uuid: str, guest: int, offer: offers.Offer, ended: threading.Event, undo: contextlib.ExitStack) -> None:
        with undo:
            try:
                proxy = _accept(offer)
                offer.close()
                with proxy:
                    _relay(proxy, guest, ended)
            except OSError as error:  # ssl.SSLError is one
                LOG.info("a console of instance %s ended: %s", uuid, error)
            finally:
                with self._lock:
                    if self._ports.get(uuid) is ended:
                        del self._ports[uuid]


def _accept(offer: offers.Offer) -> ssl.SSLSocket:
    """The connection of the proxy. Others who connect do not delay it, because each is authenticated in a thread of its own.

    :raises OSError: it has not connected in time
    """
    deadline, lock, waiting = time.monotonic() + CONNECT_S, threading.Lock(), True
    admitted: list[ssl.SSLSocket] = []

    def authenticate(connection: socket.socket, peer) -> None:
        try:
            secure = offer.admit(connection, SILENCE_S)[0]
        except (OSError, ValueError) as error:
            LOG.warning("a console was not opened for %s: %s", peer[0], error)
            return
        with lock:
            if waiting and not admitted:
                admitted.append(secure)
                with contextlib.suppress(OSError):
                    offer.socket.shutdown(socket.SHUT_RDWR)  # ends accept
                return
        secure.close()
    try:
        while True:
            offer.socket.settimeout(max(0.001, deadline - time.monotonic()))
            arguments = offer.socket.accept()
            threading.Thread(target=authenticate, args=arguments, daemon=True, name="console-peer").start()
    except OSError:
        with lock:
            waiting = False
            if admitted:
                return admitted[0]
        raise


def _relay(proxy: ssl.SSLSocket, guest: int, ended: threading.Event) -> None:
    """Copy bytes in both directions until one side closes or ``ended`` is set. One thread does both, because two threads must
    not use a TLS connection at once."""
    with selectors.DefaultSelector() as ends:
        ends.register(proxy, selectors.EVENT_READ)
        ends.register(guest, selectors.EVENT_READ)
        while not ended.is_set():
            for key, _ in ends.select(ENDED_S):
                data = proxy.recv(_BLOCK) if key.fileobj is proxy else os.read(guest, _BLOCK)
                if not data:
                    return
                if key.fileobj is proxy:
                    _write(guest, data)
                else:
                    proxy.sendall(data)


def _write(guest: int, data: bytes) -> None:
    """:raises TimeoutError: the guest accepts no data"""
    until = time.monotonic() + SILENCE_S
    while data:
        try:
            data, until = data[os.write(guest, data):], time.monotonic() + SILENCE_S
        except BlockingIOError:
            if time.monotonic() >= until:
                raise TimeoutError("the guest accepts no input") from None
            with selectors.DefaultSelector() as writable:  # not select(), which is limited to 1024 file descriptors
                writable.register(guest, selectors.EVENT_WRITE)
                writable.select(max(0, until - time.monotonic()))
