"""Consoles as an agent offers them: to one proxy, that has the token, and for as long as somebody is there."""

import contextlib
import fcntl
import os
import resource
import socket
import ssl
import threading
import types

import pytest

from common import errors, offers
from common.periodic import wait_for
from compute_agent import consoles


class Guests:
    """A driver whose consoles the test holds the other ends of."""

    def __init__(self):
        self.ends: list[socket.socket] = []

    def open_console(self, uuid: str, kind: str) -> int:
        if uuid == "off":
            raise errors.StepFailed(reason="The guest is not running.")
        ours, theirs = socket.socketpair()
        ours.settimeout(10)
        self.ends.append(ours)
        return theirs.detach()


@pytest.fixture
def made():
    guests = Guests()
    yield types.SimpleNamespace(guests=guests, consoles=consoles.Consoles(guests, "127.0.0.1"))
    for end in guests.ends:
        end.close()


def ended(end: socket.socket) -> bool:
    try:
        return not end.recv(100)
    except ConnectionError:
        return True


def test_bytes_go_both_ways_and_nothing_is_lost(made):
    with offers.take(made.consoles.open("u", "vnc"), 10) as proxy:
        guest, data = made.guests.ends[0], os.urandom(3_000_000)
        guest.settimeout(30)
        for source, target in ((guest, proxy), (proxy, guest)):
            sender = threading.Thread(target=source.sendall, args=(data,))
            sender.start()
            found = b""
            while len(found) < len(data):
                found += target.recv(1 << 16)
            sender.join()
            assert found == data


def test_a_host_with_many_open_files(made, monkeypatch):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4096), hard))
    try:
        plain = made.guests.open_console

        def high(uuid: str, kind: str) -> int:
            low = plain(uuid, kind)
            try:
                return fcntl.fcntl(low, fcntl.F_DUPFD_CLOEXEC, 1500)
            finally:
                os.close(low)
        monkeypatch.setattr(made.guests, "open_console", high)
        with offers.take(made.consoles.open("u", "vnc"), 10) as proxy:
            proxy.sendall(b"typed")
            assert made.guests.ends[0].recv(10) == b"typed"
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_each_side_ends_it_for_the_other(made):
    with offers.take(made.consoles.open("u", "vnc"), 10) as proxy:
        made.guests.ends[0].close()
        assert ended(proxy)
    offers.take(made.consoles.open("u", "vnc"), 10).close()
    assert ended(made.guests.ends[1])


def test_who_lacks_the_token_gets_nothing_and_keeps_nobody_from_it(made):
    offer = made.consoles.open("u", "vnc")
    with offers.take({**offer, "token": "guess"}, 10) as stranger:
        assert ended(stranger)
    with socket.create_connection((offer["address"], offer["port"])) as stranger:
        stranger.sendall(b"GET / HTTP/1.1\r\n\r\n")
    with offers.take(offer, 10) as proxy:
        made.guests.ends[0].sendall(b"seen")
        assert proxy.recv(10) == b"seen"


@pytest.mark.parametrize("line", [b"[" * 1023 + b"\n", b'{"token": "\\ud800"}\n', b'{"token": {}}\n', b"[]\n", b"\xff\n",
                                  b"x" * 5000])
def test_a_stranger_does_not_end_the_offer_with_any_words(made, line):
    offer = made.consoles.open("u", "vnc")
    anybody = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    anybody.check_hostname, anybody.verify_mode = False, ssl.CERT_NONE
    with anybody.wrap_socket(socket.create_connection((offer["address"], offer["port"]), 10)) as stranger:
        stranger.sendall(line)
        assert ended(stranger)
    with offers.take(offer, 10) as proxy:
        made.guests.ends[0].sendall(b"seen")
        assert proxy.recv(10) == b"seen"


def test_silent_strangers_do_not_delay_the_proxy(made):
    offer = made.consoles.open("u", "vnc")
    strangers = [socket.create_connection((offer["address"], offer["port"])) for _ in range(3)]
    with offers.take(offer, 5) as proxy:  # less than ENTER_S
        made.guests.ends[0].sendall(b"seen")
        assert proxy.recv(10) == b"seen"
    for stranger in strangers:
        stranger.close()


def test_an_offer_is_for_one(made):
    offer = made.consoles.open("u", "vnc")
    received = []
    with contextlib.ExitStack() as ends:
        takers = [ends.enter_context(offers.take(offer, 10))]
        with contextlib.suppress(OSError):  # a second one may still be let in, only to be closed
            takers.append(ends.enter_context(offers.take(offer, 10)))
        made.guests.ends[0].sendall(b"seen")
        for taker in takers:
            with contextlib.suppress(OSError):
                received.append(taker.recv(10))
    assert [data for data in received if data] == [b"seen"]


def test_an_offer_that_nobody_takes_ends(made, monkeypatch):
    monkeypatch.setattr(consoles, "CONNECT_S", 0.1)
    made.consoles.open("u", "serial")
    assert ended(made.guests.ends[0])
    wait_for(lambda: not made.consoles._ports, 30, what="the port to be free")


def test_a_guest_that_takes_nothing_keeps_nobody_for_ever(made, monkeypatch):
    monkeypatch.setattr(consoles, "SILENCE_S", 0.2)
    with offers.take(made.consoles.open("u", "serial"), 10) as proxy:
        with pytest.raises(OSError):
            while True:
                proxy.sendall(bytes(1 << 16))


def test_only_so_many_at_once_and_a_failure_takes_no_place(made, monkeypatch):
    monkeypatch.setattr(consoles, "MAX_CONSOLES", 2)
    few = consoles.Consoles(made.guests, "127.0.0.1")
    for _ in range(3):
        with pytest.raises(errors.StepFailed):
            few.open("off", "vnc")
    open_ones = [offers.take(few.open("u", "vnc"), 10) for _ in range(2)]
    with pytest.raises(errors.ServiceUnavailable, match="too many"):
        few.open("u", "vnc")
    for each in open_ones:
        each.close()
    assert all(map(ended, made.guests.ends))

    def again():
        try:
            return few.open("u", "vnc")
        except errors.ServiceUnavailable:
            return None
    wait_for(again, 30, what="a place")


def test_one_guest_does_not_take_all_consoles_of_its_host(made, monkeypatch):
    monkeypatch.setattr(consoles, "MAX_CONSOLES_OF_GUEST", 2)
    mine = [offers.take(made.consoles.open("mine", "vnc"), 10) for _ in range(2)]
    with pytest.raises(errors.StepFailed, match="Too many consoles of this guest"):
        made.consoles.open("mine", "vnc")
    offers.take(made.consoles.open("other", "vnc"), 10).close()
    for each in mine:
        each.close()

    def again():
        try:
            return made.consoles.open("mine", "vnc")
        except errors.StepFailed:
            return None
    wait_for(again, 30, what="a place")


def test_a_new_reader_of_a_serial_port_is_never_one_too_many(made, monkeypatch):
    monkeypatch.setattr(consoles, "MAX_CONSOLES_OF_GUEST", 2)
    for _ in range(5):
        with offers.take(made.consoles.open("u", "serial"), 10) as proxy:
            made.guests.ends[-1].sendall(b"seen")
            assert proxy.recv(10) == b"seen"
            wait_for(lambda: made.consoles.count("u") == 1, 30, what="the former reader to end")
