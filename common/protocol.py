"""HTTP/1 parsing stricter than eventlet's, so that request boundaries are unambiguous (request smuggling)."""

import io
import re
import socket
import threading
import time
import typing

import eventlet.wsgi
import webob

from common.connections import Crowd

_METHOD = re.compile("[A-Z]{1,20}")
# A complete line. Folded lines, names without a colon and lone CRs could hide another header.
_HEADER = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+:[^\x00\r\n]*)?\r?\n")
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\x00\r\n]*)?\r\n")
MAX_LINE_BYTES, MAX_TRAILERS = 1024, 64
# Connections of a server; some fewer than it has threads, so that one that is to end need not have ended before the next.
MAX_CONNECTIONS, THREADS = 448, 512
# Of too many, none ends whose client was waited for less than this long, for a request or within one.
PATIENCE_S, PROGRESS_S, TRIM_S = 1.0, 3.0, 0.25
PROGRESS_BYTES = 64 << 10  # after so many more bytes of a request or an answer, its client is waited for anew


class _Waited(io.RawIOBase):
    """The bytes of a connection; whoever waits for its peer says so to the crowd.

    :param waiting: gives a context manager for that
    :param moved: is told how many bytes came or went
    """

    def __init__(self, raw: io.RawIOBase, waiting: typing.Callable, moved: typing.Callable[[int], None]):
        self._raw, self._waiting, self._moved = raw, waiting, moved

    def readable(self) -> bool:
        return self._raw.readable()

    def writable(self) -> bool:
        return self._raw.writable()

    def readinto(self, buffer):
        with self._waiting():
            count = self._raw.readinto(buffer)
        self._moved(count or 0)
        return count

    def write(self, data):
        with self._waiting():
            count = self._raw.write(data)
        self._moved(count or 0)
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()


class _HeaderLines:
    """Reads the lines of a request's head, and records whether all were valid headers."""

    def __init__(self, rfile):
        self._rfile, self.valid = rfile, True

    def readline(self, *args) -> bytes:
        line = self._rfile.readline(*args)
        self.valid = self.valid and (not line or _HEADER.fullmatch(line) is not None)
        return line


class ChunkedInput(eventlet.wsgi.Input):
    """A chunked body in the exact form of RFC 9112, section 7.1, with bounded line lengths.

    After a syntax error the start of the next request is unknown: ``broken`` is called, and every later read raises.
    """

    def __init__(self, *args, broken, **kwargs):
        super().__init__(*args, **kwargs)
        self._on_broken, self._is_broken = broken, False

    def _chunked_read(self, rfile, length=None, use_readline=False) -> bytes:
        if self.should_send_hundred_continue:
            self.send_hundred_continue_response()
            self.is_hundred_continue_response_sent = True
        found: list[bytes] = []
        left = None if length is None or length < 0 else length
        while left != 0 and self.chunk_length != 0:
            if self.chunk_length < 0 or self.position == self.chunk_length:
                self._next_chunk(rfile)
                continue
            size = self.chunk_length - self.position
            data = (rfile.readline if use_readline else rfile.read)(size if left is None else min(size, left))
            if not data:
                raise self._broken("it ended within a chunk")
            found.append(data)
            self.position += len(data)
            if left is not None:
                left -= len(data)
            if self.position == self.chunk_length and self._line(rfile) != b"\r\n":
                raise self._broken("no end of line after a chunk")
            if use_readline and data.endswith(b"\n"):
                break
        return b"".join(found)

    def _next_chunk(self, rfile) -> None:
        size = _CHUNK.fullmatch(self._line(rfile))
        if size is None:
            raise self._broken("no size of a chunk")
        self.chunk_length, self.position = int(size[1], 16), 0
        if self.chunk_length == 0:
            self._discard_trailers(rfile)

    def _discard_trailers(self, rfile) -> None:
        for _ in range(MAX_TRAILERS):
            line = self._line(rfile)
            if line == b"\r\n":
                return
            if not _HEADER.fullmatch(line):
                break
        raise self._broken("trailers that are none, or too many")

    def _line(self, rfile) -> bytes:
        if self._is_broken:
            raise self._broken("it was broken before")
        return rfile.readline(MAX_LINE_BYTES)

    def _broken(self, why: str) -> eventlet.wsgi.ChunkReadError:
        self._is_broken, self.chunk_length = True, -1
        self._on_broken()
        return eventlet.wsgi.ChunkReadError(why)


class Protocol(eventlet.wsgi.HttpProtocol):
    """Refuses framing that a proxy could interpret differently, and reports errors of the client as such. Of too many
    connections, one ends whose client says nothing or does not listen."""

    rfile: typing.Any
    wfile: typing.Any
    crowd = Crowd(MAX_CONNECTIONS, PATIENCE_S, PROGRESS_S)

    def __init__(self, *args):
        self._begin_request()
        with self.crowd.member():
            super().__init__(*args)

    def setup(self) -> None:
        super().setup()
        self.rfile = io.BufferedReader(_Waited(self.rfile.detach(), self._waiting, self._moved))
        self.wfile = io.BufferedWriter(_Waited(self.wfile.detach(), self._waiting, self._moved), self.wbufsize)

    def _begin_request(self) -> None:
        self._waited_since, self._in_progress, self._bytes = time.monotonic(), False, 0

    def _waiting(self):
        return self.crowd.waiting(self.connection, self.client_address[0], in_progress=self._in_progress,
                                  since=self._waited_since)

    def _moved(self, count: int) -> None:
        """An image that is transferred at a fair pace never ends; one that trickles does."""
        self._bytes += count
        if self._in_progress and self._bytes >= PROGRESS_BYTES:
            self._waited_since, self._bytes = time.monotonic(), 0

    def handle_one_request(self) -> None:
        self._begin_request()
        super().handle_one_request()

    def parse_request(self) -> bool:
        self.rfile = lines = _HeaderLines(self.rfile)  # handle_one_request sets it back
        if not super().parse_request():
            return False
        lengths, codings = (self.headers.get_all(n, []) for n in ("Content-Length", "Transfer-Encoding"))
        fault = (
            "A header is not valid." if not lines.valid else
            "The method is not valid." if not _METHOD.fullmatch(self.command) else
            "Content-Length is not valid." if len(lengths) > 1 or not all(re.fullmatch("[0-9]{1,18}", n) for n in lengths) else
            "Only the transfer coding 'chunked' is supported." if codings and [c.lower() for c in codings] != ["chunked"] else
            "A transfer coding needs HTTP/1.1." if codings and self.request_version != "HTTP/1.1" else
            "There is more than one Host." if len(self.headers.get_all("Host", [])) > 1 else "")
        if fault:
            self.send_error(400, explain=fault)
        self._in_progress = not fault
        return not fault

    def get_environ(self) -> dict:
        environ = super().get_environ()
        plain = environ["eventlet.input"]
        if plain.chunked_input:
            environ["wsgi.input"] = environ["eventlet.input"] = ChunkedInput(
                plain.rfile, plain.content_length, plain.get_socket(), wfile=plain.wfile, wfile_line=plain.wfile_line,
                chunked_input=True, broken=self._close_after_this)
        return environ

    def _close_after_this(self) -> None:
        self.close_connection = True

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answer a request that could not be parsed; the standard library treats an unknown HTTP version as a server error."""
        self.close_connection = True
        super().send_error(400 if code >= 500 else code, message, explain)

    def log_message(self, *args) -> None:
        """Log nothing: anybody can send invalid HTTP at any rate."""


class Takeover(webob.Response):
    """A response that hands the connection over to ``handler``, which writes the response; when it returns, the connection is
    closed."""

    def __init__(self, handler: typing.Callable[[socket.socket], None]):
        super().__init__(status=101)
        self._handler = handler

    def __call__(self, environ, start_response):
        connection = environ["eventlet.input"].get_socket()
        connection.settimeout(None)  # instead of the timeout between requests
        self._handler(connection)
        eventlet.wsgi.WSGI_LOCAL.already_handled = True
        return []


def serve(sock: socket.socket, app, log) -> None:
    """Serve requests until the socket is closed, each in a green thread."""
    crowd, ended = Crowd(MAX_CONNECTIONS, PATIENCE_S, PROGRESS_S), threading.Event()
    threading.Thread(target=_trim, args=(crowd, ended), daemon=True, name="connections").start()
    try:
        eventlet.wsgi.server(sock, app, log=log, log_output=False, max_size=THREADS, keepalive=True, socket_timeout=75,
                             debug=False, protocol=type("Protocol", (Protocol,), {"crowd": crowd}))
    finally:
        ended.set()


def _trim(crowd: Crowd, ended: threading.Event) -> None:
    """Where all threads have clients that are waited for, no new connection would say that there are too many."""
    while not ended.wait(TRIM_S):
        crowd.trim()
