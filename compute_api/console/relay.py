"""Redeems tokens, and relays bytes between a browser and the host of the guest."""

import contextlib
import logging
import socket
import threading
import time

from common import errors, offers
from common.websocket import WebSocket
from conductor.db import console_tokens

LOG = logging.getLogger(__name__)
KINDS = {"novnc": "vnc", "serial": "serial"}  # type of console -> what agents call it
ANSWER_S = 15.0  # timeout of the connection to the host
_BLOCK = 1 << 16
_ENDED, _FAILED = 1000, 1011  # status codes of close frames (RFC 6455, section 7.4.1)


def redeem(service, token: str) -> dict | None:
    """As ``console_tokens.redeem``. Unknown tokens, which anybody can send, are refused without a write transaction."""
    with service.db.reader() as connection:
        if console_tokens.find(connection, token) is None:
            return None
    return service.db.transact(console_tokens.redeem, token)


def serve(service, ctx, console: dict, answer: bytes, connection: socket.socket) -> None:
    """Complete a handshake, and relay bytes until one side closes.

    :param console: result of ``console_tokens.find``
    :param answer: the response to the handshake
    """
    about = {"instance_uuid": console["instance_uuid"], "console_type": console["console_type"], "user_id": console["user_id"],
             "asked_by": console["request_id"]}
    began = time.monotonic()
    browser = WebSocket(connection)
    try:
        connection.sendall(answer)
        with service.places.taken(console["user_id"]), _stream(service, ctx, console) as guest:
            LOG.info("console opened", extra={"fields": about})
            _relay(browser, guest)
        browser.close(_ENDED, "The console has ended.")
    except errors.Error as error:
        LOG.warning("no console of instance %s: %s", console["instance_uuid"], error.internal or error, extra={"fields": about})
        # Users must not see names of hosts, which these errors contain.
        away = isinstance(error, errors.ServiceUnavailable)
        browser.close(_FAILED, "The guest's host cannot open the console now." if away else error.public)
    except OSError as error:
        LOG.info("the connection of a console broke: %s", error, extra={"fields": about})
        browser.close(_FAILED, "The connection to the guest broke.")
    LOG.info("console closed", extra={"fields": {**about, "duration_s": round(time.monotonic() - began, 1)}})


def _stream(service, ctx, console: dict) -> socket.socket:
    """Connect to the console. :raises errors.Error: the guest does not run, or its host does not answer"""
    offer = service.agents.open_console(ctx, console["host"], console["instance_uuid"], KINDS[console["console_type"]])
    try:
        made = offers.take(offer, ANSWER_S)
    except OSError as error:
        raise errors.ServiceUnavailable(part=f"the host {console['host']}, which has the guest", internal=str(error)) from error
    made.settimeout(None)
    return made


def _relay(browser: WebSocket, guest: socket.socket) -> None:
    """Relay bytes in both directions until one side closes."""
    def to_browser() -> None:
        with contextlib.suppress(OSError, ValueError):  # ValueError: the TLS socket has been shut down
            while data := guest.recv(_BLOCK):
                browser.send(data)
                time.sleep(0)  # as in WebSocket.receive
        browser.close(_ENDED, "The console has ended.")
    output = threading.Thread(target=to_browser, daemon=True, name="console")
    output.start()
    try:
        while typed := browser.receive():
            guest.sendall(typed)
    finally:
        with contextlib.suppress(OSError):
            guest.shutdown(socket.SHUT_RDWR)
        output.join()
