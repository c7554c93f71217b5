"""The channels of a live migration: what goes through, who is let in, and how they end."""

import os
import socket
import subprocess
import sys
import threading

import pytest

from common import offers
from common.periodic import wait_for
from compute_agent.tunnel import Channel, Incoming, Tunnel


def echo() -> socket.socket:
    """A channel whose other end answers with what it is sent."""
    outer, inner = socket.socketpair()

    def answer() -> None:
        with inner:
            while data := inner.recv(1 << 16):
                inner.sendall(data)
    threading.Thread(target=answer, daemon=True).start()
    return outer


@pytest.fixture
def incoming():
    made = Incoming("127.0.0.1", {"echo": Channel(echo)})
    yield made
    made.close()


@pytest.fixture
def tunnel(incoming):
    with Tunnel(incoming.described) as made:
        yield made


def test_bytes_go_through_both_ways_and_the_end_is_passed_on(tunnel, tmp_path):
    path, sent = str(tmp_path / "s"), os.urandom(3 << 20)
    tunnel.listen("echo", path)
    assert os.stat(path).st_mode & 0o777 == 0o600
    with socket.socket(socket.AF_UNIX) as plain:
        plain.connect(path)
        threading.Thread(target=plain.sendall, args=(sent,), daemon=True).start()
        plain.settimeout(20)
        got = b""
        while len(got) < len(sent):
            got += plain.recv(1 << 16)
        assert got == sent
        plain.shutdown(socket.SHUT_WR)
        assert plain.recv(1) == b""


def test_a_source_finds_out_whether_it_is_still_let_in(incoming, tunnel, caplog):
    assert tunnel.is_open() and not caplog.records
    incoming.close()
    wait_for(lambda: not tunnel.is_open(), 30, what="the end of the offer")


def test_a_socket_that_is_left_of_an_earlier_migration_is_replaced(tunnel, tmp_path):
    for _ in range(2):
        tunnel.listen("echo", str(tmp_path / "s"))


def test_an_unknown_channel_and_a_wrong_token_are_refused(incoming):
    with offers.take(incoming.described, 10, channel="no-such") as secure:
        assert secure.recv(1) == b""
    with offers.take({**incoming.described, "token": "wrong"}, 10, channel="echo") as secure:
        assert secure.recv(1) == b""


@pytest.mark.parametrize("end", ["target", "source"])
def test_all_channels_end_with_either_end(incoming, end):
    tunnel = Tunnel(incoming.described)
    channel = tunnel.connect("echo")
    with channel:
        channel.sendall(b"x")
        assert channel.recv(1) == b"x"
        if end == "target":
            incoming.close()
            assert channel.recv(1) == b""
            with pytest.raises(OSError):
                tunnel.connect("echo")
    if end == "source":
        wait_for(lambda: not incoming._open, 10, what="the channel to end")


def test_a_tunnel_that_is_left_ends_what_it_carries(incoming, tmp_path):
    with Tunnel(incoming.described) as tunnel, socket.socket(socket.AF_UNIX) as plain:
        tunnel.listen("echo", str(tmp_path / "s"))
        plain.connect(str(tmp_path / "s"))
        plain.sendall(b"x")
        assert plain.recv(1) == b"x"
        tunnel.__exit__(None, None, None)
        plain.settimeout(10)
        assert plain.recv(1) == b""
        with socket.socket(socket.AF_UNIX) as other, pytest.raises(OSError):
            other.connect(str(tmp_path / "s"))
            other.settimeout(1)
            if not other.recv(1):
                raise OSError


# A process that ends both ends of migrations while they wait for connections, and then starts programs, whose pipes get the
# numbers of the closed sockets.
_ENDS = """
import subprocess, sys, threading, time
from compute_agent.tunnel import Incoming, Tunnel
for _ in range(3):
    incoming = Incoming("127.0.0.1", {})
    with Tunnel(incoming.described) as tunnel:
        tunnel.listen("echo", sys.argv[1])
        time.sleep(0.1)
    incoming.close()
    for _ in range(3):
        subprocess.run(["true"], check=True)
time.sleep(0.1)
print(*(t.name for t in threading.enumerate() if "migration" in t.name))
"""


@pytest.mark.parametrize("threads", ["", "import eventlet; eventlet.monkey_patch()"], ids=["native", "green"])
def test_who_waits_for_connections_is_woken_at_the_end(tmp_path, threads):
    """A green thread that were not would break whatever gets the number of its socket: a second reader is an error."""
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", threads + _ENDS, str(tmp_path / "s")], capture_output=True,
                          text=True, timeout=180)
    assert (done.returncode, done.stdout, done.stderr) == (0, "\n", "")
