"""The server side of a WebSocket (RFC 6455), on a connection whose HTTP request has been read.

The library ``websockets`` implements the protocol. Reading and writing are done here, without queues, so that a slow receiver
slows down its sender and needs no memory.
"""

import logging
import socket
import threading
import time

from websockets.datastructures import Headers
from websockets.exceptions import InvalidState
from websockets.frames import DATA_OPCODES, Frame
from websockets.http11 import Request, Response
from websockets.protocol import SERVER, Protocol
from websockets.server import ServerProtocol

from common.offers import keep_alive

MAX_MESSAGE_BYTES = 1 << 20  # of all frames of a message
_BLOCK = 1 << 12  # small, because a block of empty frames takes long to parse: some 700 frames in 3 ms
_STALLED_MS = 60_000  # a connection whose client does not read for so long is closed
_HEADERS = ("Host", "Origin", "Upgrade", "Connection", "Sec-WebSocket-Key", "Sec-WebSocket-Version", "Sec-WebSocket-Protocol")
# Never at DEBUG, at which the library logs the content of messages.
_QUIET = logging.getLogger(f"{__name__}.protocol")
_QUIET.setLevel(logging.INFO)


def handshake(headers, protocols: tuple[str, ...]) -> Response:
    """The response to a handshake, with status 101 if the request is valid. No extension is negotiated.

    :param headers: mapping of the request's headers
    :param protocols: supported subprotocols; the first of the client's that is supported is chosen, if there is one
    """
    given = Headers((name, headers[name]) for name in _HEADERS if name in headers)

    def choose(protocol, offered):
        return next((name for name in offered if name in protocols), None)
    server = ServerProtocol(select_subprotocol=choose, logger=_QUIET)
    return server.accept(Request("/", given))


class WebSocket:
    """:param connection: after the handshake. One thread may receive while another sends."""

    def __init__(self, connection: socket.socket):
        keep_alive(connection)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _STALLED_MS)
        self._connection = connection
        self._protocol = Protocol(SERVER, max_size=MAX_MESSAGE_BYTES, logger=_QUIET)
        self._lock = threading.Lock()

    def receive(self) -> bytes | None:
        """The next bytes of a text or binary message, maybe only a part of it; None once the WebSocket is closed.

        :raises OSError: the connection is broken
        """
        while True:
            with self._lock:
                frames = (event for event in self._protocol.events_received() if isinstance(event, Frame))
                if found := b"".join(frame.data for frame in frames if frame.opcode in DATA_OPCODES):
                    return found
                if self._protocol.close_expected():
                    return None
            data = self._connection.recv(_BLOCK)
            if not data:
                return None
            # A green thread whose socket always has data, as with a flood of pings, would not let others run.
            time.sleep(0)
            with self._lock:
                self._protocol.receive_data(data)
                self._flush()

    def send(self, data: bytes) -> None:
        """Send a binary message. :raises OSError: the connection is broken or closed"""
        with self._lock:
            try:
                self._protocol.send_binary(data)
            except InvalidState as error:
                raise OSError("the WebSocket is closed") from error
            self._flush()

    def close(self, code: int, reason: str) -> None:
        """Send a close frame and close the connection; ``receive`` then returns None. Repeatable.

        :param reason: cut to 123 bytes
        """
        with self._lock:
            try:
                self._protocol.send_close(code, reason.encode()[:123].decode("utf-8", "ignore"))
                self._flush()
            except (InvalidState, OSError):
                pass  # it is closed already
        try:
            self._connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            return

    def _flush(self) -> None:
        if data := b"".join(self._protocol.data_to_send()):
            self._connection.sendall(data)
