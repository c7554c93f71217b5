"""A libvirtd that hangs: it has not ended, and does not answer."""

import socket
import struct
import threading
import time

import pytest

from common import errors
from compute_agent.virt.libvirt.host import Connection, WatchedConnection

# Of libvirt's remote_protocol.x and virkeepaliveprotocol.x.
OPEN, CLOSE, GET_VERSION, SUPPORTS_FEATURE, AUTH_LIST = 1, 2, 4, 60, 66
KEEPALIVE, PING, PONG, MESSAGE = 0x6B656570, 1, 2, 2
REPLY, OK = 1, 0
ANSWERS = {AUTH_LIST: struct.pack(">II", 1, 0), OPEN: b"", CLOSE: b"", SUPPORTS_FEATURE: struct.pack(">i", 1),
           GET_VERSION: struct.pack(">Q", 8000000)}


class Libvirtd:
    """Answers until ``hangs`` is set, as one that got SIGSTOP."""

    def __init__(self, path: str):
        self.uri = f"qemu+unix:///system?socket={path}"
        self.hangs = threading.Event()
        self.taken: list[socket.socket] = []
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(path)
        self._listening.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                taken = self._listening.accept()[0]
            except OSError:
                return
            self.taken.append(taken)
            threading.Thread(target=self._serve, args=(taken,), daemon=True).start()

    def _serve(self, taken):
        with taken.makefile("rb") as sent:
            while head := sent.read(28):
                length, program, version, procedure, _, serial, _ = struct.unpack(">IIIiiIi", head)
                sent.read(length - 28)
                while self.hangs.is_set():
                    time.sleep(0.01)
                if program == KEEPALIVE:
                    kind, procedure, body = MESSAGE, PONG, b""
                else:
                    kind, body = REPLY, ANSWERS[procedure]
                try:
                    taken.sendall(struct.pack(">IIIiiIi", 28 + len(body), program, version, procedure, kind, serial, OK) + body)
                except OSError:
                    return

    def end(self):
        self.hangs.clear()
        self._listening.close()
        for taken in self.taken:
            taken.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def libvirtd(tmp_path):
    made = Libvirtd(str(tmp_path / "socket"))
    yield made
    made.end()


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(Connection, "OPEN_S", 0.5)
    monkeypatch.setattr(WatchedConnection, "EVERY_S", 1)
    monkeypatch.setattr(WatchedConnection, "TIMES", 1)


@pytest.mark.alone
def test_calls_that_wait_for_a_libvirtd_that_hangs_fail_and_others_are_not_begun(libvirtd):
    watched = WatchedConnection(libvirtd.uri)
    connection = Connection(libvirtd.uri, watched)
    assert connection.call("getVersion") == watched.call("getVersion") == 8000000
    libvirtd.hangs.set()
    began = time.monotonic()
    with pytest.raises(errors.ServiceUnavailable):
        watched.call("getVersion")
    with pytest.raises(errors.ServiceUnavailable, match="libvirtd"):
        connection.call("getVersion")
    assert time.monotonic() - began < 10
    again = time.monotonic()
    with pytest.raises(errors.ServiceUnavailable):
        connection.call("getVersion")
    assert time.monotonic() - again < 0.4, "only the first waits for an answer to the new connection"
    libvirtd.hangs.clear()
    assert _soon(connection) == 8000000


def _soon(connection, last_s: float = 5.0):
    deadline = time.monotonic() + last_s
    while True:
        try:
            return connection.call("getVersion")
        except errors.ServiceUnavailable:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def test_a_watched_connection_stays_while_libvirtd_answers(libvirtd):
    watched = WatchedConnection(libvirtd.uri)
    kept = watched.get()
    time.sleep(3.5)  # several questions
    assert watched.get() is kept and len(libvirtd.taken) == 1


def test_a_libvirtd_that_hangs_from_the_start_is_away_until_it_goes_on(libvirtd):
    libvirtd.hangs.set()
    connection = Connection(libvirtd.uri)
    for _ in range(3):
        with pytest.raises(errors.ServiceUnavailable) as raised:
            connection.get()
        assert "has not answered" in raised.value.internal
    assert len(libvirtd.taken) == 1, "one attempt waits, whoever asks"
    libvirtd.hangs.clear()
    assert _soon(connection) == 8000000


def test_after_one_that_ended_while_it_hung_another_is_asked(libvirtd):
    libvirtd.hangs.set()
    connection = Connection(libvirtd.uri)
    with pytest.raises(errors.ServiceUnavailable):
        connection.get()
    libvirtd.taken[0].shutdown(socket.SHUT_RDWR)
    libvirtd.hangs.clear()
    assert _soon(connection) == 8000000 and len(libvirtd.taken) > 1
