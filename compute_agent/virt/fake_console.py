"""Consoles of the fake driver: a black screen, and a serial port that echoes its input."""

import select
import socket
import struct
import threading
from collections.abc import Callable

_CHECK_S = 0.5  # interval of the check whether the guest still runs
_WIDTH, _HEIGHT = 640, 480
# 32 bits per pixel, colour depth 24 (RFC 6143, section 7.4).
_PIXELS = struct.pack(">BBBBHHHBBBxxx", 32, 24, 0, 1, 255, 255, 255, 16, 8, 0)


def open_console(kind: str, name: str, runs: Callable[[], bool]) -> int:
    """
    :param kind: "vnc" or "serial"
    :param name: of the guest, shown in both
    :param runs: whether the guest runs
    :returns: file descriptor, which reaches end of file when the guest has stopped
    """
    ours, theirs = socket.socketpair()
    work = _screen if kind == "vnc" else _serial
    threading.Thread(target=_serve, args=(ours, work, name.encode(), runs), daemon=True, name="fake-console").start()
    return theirs.detach()


def _serve(ours: socket.socket, work, name: bytes, runs: Callable[[], bool]) -> None:
    def read() -> bytes:
        """Input of the user; empty if the guest has stopped or the console is closed."""
        while runs():
            if select.select([ours], [], [], _CHECK_S)[0]:
                return ours.recv(4096)
        return b""
    with ours:
        try:
            work(ours.sendall, read, name)
        except OSError:
            return


def _serial(write, read, name: bytes) -> None:
    write(name + b" login: ")
    while typed := read():
        write(typed)


def _screen(write, read, name: bytes) -> None:
    """RFB 3.8 without authentication and without framebuffer updates (RFC 6143, section 7)."""
    for said in (b"RFB 003.008\n", b"\x01\x01", bytes(4),
                 struct.pack(">HH", _WIDTH, _HEIGHT) + _PIXELS + struct.pack(">I", len(name)) + name):
        write(said)
        if not read():
            return
    while read():
        continue
