"""Who opens many connections and says nothing keeps nobody else out."""

import contextlib
import logging
import multiprocessing
import socket
import time

import pytest

from common.connections import Crowd
from common.periodic import wait_for

HEAD = b"GET /quick HTTP/1.1\r\nHost: h\r\n"
BODY = b"POST /slow HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nfour"
STRANGERS = {"nothing": b"", "half a head": HEAD + b"X: ", "half a body": BODY,
             "requests, and read no answer": (HEAD + b"\r\n").replace(b"quick", b"large") * 5}
PATIENCE_S = 20


@pytest.fixture
def crowd():
    """(make a member of an address, who waits since then: its other end; closed at the end)"""
    with contextlib.ExitStack() as stack:
        made = Crowd(4)

        def enter(address: str, since: float, **how) -> socket.socket:
            ours, theirs = (stack.enter_context(each) for each in socket.socketpair())
            ours.settimeout(5)
            stack.enter_context(made.waiting(theirs, address, since=since, **how))
            stack.enter_context(made.member())
            return ours
        yield enter


def is_open(end: socket.socket) -> bool:
    end.setblocking(False)
    try:
        return end.recv(1) != b""
    except BlockingIOError:
        return True


def test_the_first_of_the_address_that_has_most_ends(crowd):
    honest = crowd("10.0.0.1", 0)
    many = [crowd("10.0.0.2", 1 + n) for n in range(6)]
    assert [is_open(end) for end in many] == [False] * 3 + [True] * 3 and is_open(honest)


def test_what_is_in_progress_ends_last(crowd):
    first = crowd("10.0.0.2", 0, in_progress=True)
    rest = [crowd("10.0.0.2", 1 + n) for n in range(4)]
    assert [is_open(end) for end in (first, *rest)] == [True, False, True, True, True]


def test_a_host_has_a_network_of_addresses_of_ipv6(crowd):
    honest = [crowd("fd00:0:0:1::1", 0), crowd("10.0.0.1", 0)]
    many = [crowd(f"fd00::{n}", 1 + n) for n in range(4)]
    assert all(map(is_open, honest)) and [is_open(end) for end in many] == [False, False, True, True]


def test_nobody_ends_before_he_was_waited_for_long_enough():
    crowd, now = Crowd(2, patience_s=60, progress_s=120), time.monotonic()
    with contextlib.ExitStack() as stack:
        def enter(address: str, age_s: float, **how) -> socket.socket:
            ours, theirs = (stack.enter_context(each) for each in socket.socketpair())
            stack.enter_context(crowd.waiting(theirs, address, since=now - age_s, **how))
            stack.enter_context(crowd.member())
            return ours
        kept = enter("10.0.0.1", 1000)
        ends = [enter("10.0.0.2", 10), enter("10.0.0.2", 100, in_progress=True), enter("10.0.0.2", 70)]
        assert [is_open(end) for end in ends] == [True, True, False]
        enter("10.0.0.2", 0)
        crowd.trim()
        assert is_open(kept) and [is_open(end) for end in ends] == [True, True, False], "of whom there are most, none is due"


def test_without_anybody_to_wait_for_nobody_ends(crowd):
    full = Crowd(1)
    with full.member(), full.member():
        assert is_open(crowd("10.0.0.1", 0))


def _serve(pipe, patience_s: float) -> None:
    import eventlet
    eventlet.monkey_patch()
    from common import protocol
    protocol.PATIENCE_S = patience_s

    def application(environ, start_response):
        environ["wsgi.input"].read()
        answer = b"x" * (200 << 10 if environ["PATH_INFO"] == "/large" else 2)
        start_response("200 OK", [("Content-Length", str(len(answer)))])
        return [answer]
    listening = eventlet.listen(("0.0.0.0", 0), backlog=1024)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 14)  # connections inherit it: an answer does not fit
    pipe.send((listening.getsockname()[1], protocol.THREADS))
    protocol.serve(listening, application, logging.getLogger("test"))


@contextlib.contextmanager
def serving(patience_s: float):
    """(port, number of threads) of a server in a process of its own."""
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe()
    process = spawn.Process(target=_serve, args=(theirs, patience_s), daemon=True)
    process.start()
    assert ours.poll(60)
    yield ours.recv()
    process.kill()
    process.join()


@pytest.fixture(scope="module")
def server():
    with serving(1.0) as made:
        yield made


def test_many_who_are_honest_are_all_served():
    """From one address, as through a proxy; also those for whom there is no thread yet."""
    with serving(60.0) as (port, threads), contextlib.ExitStack() as stack:
        clients = [stack.enter_context(socket.create_connection(("127.0.0.1", port), PATIENCE_S)) for _ in range(threads + 60)]
        time.sleep(0.5)  # all of them are waited for
        for each in clients:
            each.sendall(HEAD + b"Connection: close\r\n\r\n")
        assert all(each.recv(1000).startswith(b"HTTP/1.1 200") for each in clients)


def ask(client: socket.socket) -> bytes:
    client.sendall(HEAD + b"\r\n")
    return client.recv(1000)


@pytest.mark.parametrize("sent", STRANGERS)
def test_others_are_served(server, sent):
    port, threads = server
    with contextlib.ExitStack() as stack:
        def connect(source: str) -> socket.socket:
            return stack.enter_context(socket.create_connection(("127.0.0.1", port), PATIENCE_S, source_address=(source, 0)))
        kept = connect("127.0.0.1")
        assert ask(kept).startswith(b"HTTP/1.1 200")
        for _ in range(threads + 20):
            connect("127.0.0.2").sendall(STRANGERS[sent])
        assert ask(connect("127.0.0.1")).startswith(b"HTTP/1.1 200")
        assert ask(kept).startswith(b"HTTP/1.1 200"), "a connection that was kept is still there"


def test_a_transfer_at_a_fair_pace_goes_on(server):
    """It is the oldest of the address that has most, and takes longer than a client is waited for within a request."""
    port, threads = server
    piece, pieces = b"x" * (100 << 10), 25
    with contextlib.ExitStack() as stack:
        def connect() -> socket.socket:
            return stack.enter_context(socket.create_connection(("127.0.0.1", port), PATIENCE_S, source_address=("127.0.0.3", 0)))
        transfer = connect()
        transfer.sendall(b"POST /slow HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % (len(piece) * pieces))
        others = []
        for number in range(threads + 20):  # while they come, which takes long on a busy machine, the transfer goes on too
            others.append(connect())
            others[-1].sendall(BODY)
            if number % 100 == 0:
                transfer.sendall(piece)
                pieces -= 1
        for _ in range(pieces):
            transfer.sendall(piece)
            time.sleep(0.2)
        assert transfer.recv(1000).startswith(b"HTTP/1.1 200")
        wait_for(lambda: not is_open(others[0]), PATIENCE_S, what="the end of who sends nothing more")
