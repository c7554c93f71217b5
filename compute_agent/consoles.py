"""Consoles of guests, relayed to console proxies.

Consoles do not listen on any port or socket. The driver opens a console for this process, which relays it to one proxy over TLS
(``common.offers``). When a guest stops, the hypervisor closes its consoles.
"""

import contextlib
import logging
import os
import select
import selectors
import ssl
import threading
import time

from common import errors, offers

LOG = logging.getLogger(__name__)
CONNECT_S = 30.0  # until the proxy has connected
SILENCE_S = 60.0  # a relay ends if one side accepts no data for so long
ENDED_S = 1.0  # until a relay notices that another has replaced it
MAX_CONSOLES = 200  # each has a thread
_BLOCK = 1 << 16  # more than a TLS record, so that no decrypted data remains when the socket is not readable


class Consoles:
    """:param address: address of this host that proxies connect to"""

    def __init__(self, driver, address: str):
        self.driver, self.address = driver, address
        self._places = threading.BoundedSemaphore(MAX_CONSOLES)
        # Each byte of a serial port goes to one reader only, so a new relay replaces the one before.
        self._ports: dict[str, threading.Event] = {}
        self._lock = threading.Lock()

    def open(self, uuid: str, kind: str) -> dict:
        """Open a console of a guest for one proxy.

        :param kind: "vnc" or "serial"
        :returns: ``offers.Offer.described``
        :raises StepFailed: the guest does not run, or has no such console
        :raises ServiceUnavailable: too many consoles are open
        """
        if not self._places.acquire(blocking=False):
            raise errors.ServiceUnavailable(part="the guest's host, where too many consoles are open")
        with contextlib.ExitStack() as undo:
            undo.callback(self._places.release)
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
    """The connection of the proxy. :raises OSError: it has not connected in time"""
    deadline = time.monotonic() + CONNECT_S
    while True:
        offer.socket.settimeout(max(0.001, deadline - time.monotonic()))
        connection, peer = offer.socket.accept()
        try:
            return offer.admit(connection, SILENCE_S)[0]
        except (OSError, ValueError) as error:
            LOG.warning("a console was not opened for %s: %s", peer[0], error)


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
        # Under eventlet, select may return early with the result of a previous select.
        if select.select([], [guest], [], SILENCE_S)[1]:
            data, until = data[os.write(guest, data):], time.monotonic() + SILENCE_S
        elif time.monotonic() >= until:
            raise TimeoutError("the guest accepts no input")
