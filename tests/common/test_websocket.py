"""The server's side of a WebSocket, against the client of the same library and against bytes that no client should send."""

import contextlib
import socket
import struct
import subprocess
import sys
import threading
import time

import pytest
from websockets.frames import Frame, Opcode

from common import websocket

GOOD = {"Host": "h", "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}


def without(name: str) -> dict:
    return {k: v for k, v in GOOD.items() if k != name}


def test_a_handshake_is_answered_as_the_rfc_has_it():
    """The key and its answer are those of RFC 6455, section 1.3."""
    answer = websocket.handshake(GOOD, ("binary",))
    assert answer.status_code == 101 and answer.headers["Sec-WebSocket-Accept"] == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
    assert "Sec-WebSocket-Protocol" not in answer.headers
    chosen = websocket.handshake({**GOOD, "Sec-WebSocket-Protocol": "base64, binary"}, ("binary",))
    assert chosen.headers["Sec-WebSocket-Protocol"] == "binary"
    offered = websocket.handshake({**GOOD, "Sec-WebSocket-Extensions": "permessage-deflate"}, ())
    assert "Sec-WebSocket-Extensions" not in offered.headers


@pytest.mark.parametrize("headers", [without(name) for name in GOOD if name != "Host"] + [
    {**GOOD, "Sec-WebSocket-Version": "8"}, {**GOOD, "Sec-WebSocket-Key": "short"}, {**GOOD, "Upgrade": "h2c"}, {}])
def test_what_is_no_handshake_is_refused(headers):
    assert websocket.handshake(headers, ()).status_code >= 400


@pytest.fixture
def ends():
    """(our end, the client's socket)"""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        theirs = socket.create_connection(listening.getsockname())
        ours, _ = listening.accept()
    theirs.settimeout(10)
    with ours, theirs:
        yield websocket.WebSocket(ours), theirs


def frame(opcode: Opcode, data: bytes, fin: bool = True) -> bytes:
    return Frame(opcode, data, fin).serialize(mask=True)


def closed_with(theirs: socket.socket) -> int:
    """The code of the close frame that comes next."""
    head = theirs.recv(2)
    assert head[0] == 0x88, head
    return struct.unpack(">H", theirs.recv(head[1])[:2])[0]


def test_messages_of_every_kind_and_pieces_of_them(ends):
    ours, theirs = ends
    theirs.sendall(frame(Opcode.BINARY, b"one") + frame(Opcode.TEXT, b"two"))
    found = b""
    while len(found) < 6:
        found += ours.receive()
    theirs.sendall(frame(Opcode.BINARY, b"th", fin=False) + frame(Opcode.PING, b"p") + frame(Opcode.CONT, b"ree"))
    while len(found) < 11:
        found += ours.receive()
    assert found == b"onetwothree"
    assert theirs.recv(100) == b"\x8a\x01p", "a ping is answered between the pieces of a message"
    ours.send(b"answer")
    assert theirs.recv(100) == b"\x82\x06answer"


@pytest.mark.parametrize("sent", [frame(Opcode.BINARY, bytes(websocket.MAX_MESSAGE_BYTES + 1)),
                                  frame(Opcode.BINARY, b"", fin=False) + frame(Opcode.CONT, bytes(1 << 19), fin=False) * 3])
def test_a_message_that_is_too_large_ends_it_in_one_frame_or_many(ends, sent):
    ours, theirs = ends
    sender = threading.Thread(target=theirs.sendall, args=(sent,))
    sender.start()
    while ours.receive() is not None:
        continue
    assert closed_with(theirs) == 1009
    theirs.close()
    sender.join(10)


@pytest.mark.parametrize("sent", [b"\x82\x01x", b"\x83\x80\0\0\0\0", b"\xc2\x80\0\0\0\0", b"GET / HTTP/1.1\r\n\r\n"])
def test_invalid_frames_end_it(ends, sent):
    ours, theirs = ends
    theirs.sendall(sent)
    assert ours.receive() is None and closed_with(theirs) == 1002


def test_either_side_can_end_it(ends):
    ours, theirs = ends
    theirs.sendall(frame(Opcode.CLOSE, struct.pack(">H", 1000)))
    assert ours.receive() is None and closed_with(theirs) == 1000
    with pytest.raises(OSError):
        ours.send(b"late")
    ours.close(1000, "again")


def test_the_reason_of_a_close_frame_is_truncated(ends):
    ours, theirs = ends
    ours.close(1011, "ä" * 100)
    head = theirs.recv(2)
    text = theirs.recv(head[1])[2:].decode()
    assert text == "ä" * 61 and ours.receive() is None
    ours.close(1011, "again")


def test_a_broken_connection_ends_it(ends):
    ours, theirs = ends
    theirs.close()
    assert ours.receive() is None


# A process with green threads, like the proxy: one receives, the other ends the process after 20 turns.
_GREEN = """
import eventlet; eventlet.monkey_patch()
import socket, threading, time
from common import websocket
listening = socket.create_server(("127.0.0.1", 0))
print(listening.getsockname()[1], flush=True)
connection, _ = listening.accept()
threading.Thread(target=websocket.WebSocket(connection).receive, daemon=True).start()
for _ in range(20):
    time.sleep(0.05)
"""


@pytest.mark.parametrize("opcode", [Opcode.PING, Opcode.BINARY])
def test_a_flood_of_empty_frames_does_not_stop_other_green_threads(opcode):
    flood, began = frame(opcode, b"") * 10_000, time.monotonic()
    with subprocess.Popen([sys.executable, "-c", _GREEN], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        client = socket.create_connection(("127.0.0.1", int(process.stdout.readline())))

        def discard() -> None:  # responses to pings
            with contextlib.suppress(OSError):
                while client.recv(1 << 16):
                    continue

        def send() -> None:
            with contextlib.suppress(OSError):
                while time.monotonic() - began < 60:
                    client.sendall(flood)
        for work in (discard, send):
            threading.Thread(target=work, daemon=True).start()
        try:
            assert process.wait(40) == 0
        finally:
            process.kill()
            client.close()
