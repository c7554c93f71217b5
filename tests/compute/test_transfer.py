"""Disks on their way between hosts: whole, sparse, and for nobody but who was told of the offer."""

import json
import os
import socket
import ssl
import threading
import time

import pytest

from common import errors, offers, shared_work
from common.periodic import wait_for
from compute_agent import transfer

GIB = 1 << 30


class _TestedOffer(transfer.Offer):
    name = "tested-offer"  # of its threads, which other tests' offers have others of


@pytest.fixture
def disk(tmp_path):
    """10 GiB with data at its beginning and in its middle, and a hole at the end."""
    path = tmp_path / "disk"
    with open(path, "wb") as out:
        out.write(b"begin" * 1000)
        out.seek(5 * GIB)
        out.write(os.urandom(3 << 20))
        out.truncate(10 * GIB)
    return path


@pytest.fixture
def offer(disk):
    made = _TestedOffer("127.0.0.1", {"disk": str(disk)})
    yield made
    made.close()


def fetch(offer: transfer.Offer | dict, target, name: str = "disk") -> None:
    described = offer if isinstance(offer, dict) else offer.described
    shared_work.attended(lambda work: transfer.fetch(described, name, target, 10 * GIB, work), shared_work.never)


def test_a_disk_arrives_whole_and_sparse(disk, offer, tmp_path):
    target = tmp_path / "arrived"
    for _ in range(2):
        fetch(offer, target)
    assert target.stat().st_size == 10 * GIB and target.stat().st_blocks * 512 < 20 << 20
    with open(disk, "rb") as one, open(target, "rb") as two:
        for offset in (0, 5 * GIB - 4096, 5 * GIB, 5 * GIB + (3 << 20) - 10):
            one.seek(offset)
            two.seek(offset)
            assert one.read(1 << 20) == two.read(1 << 20), offset
    assert target.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("size", [0, 1, 4096])
def test_small_files_and_empty_ones(tmp_path, size):
    source, target = tmp_path / "small", tmp_path / "arrived"
    source.write_bytes(b"x" * size)
    made = transfer.Offer("127.0.0.1", {"disk": str(source)})
    fetch(made, target)
    made.close()
    assert target.read_bytes() == b"x" * size


def test_nothing_is_sent_to_who_does_not_have_the_token_or_asks_for_another_file(offer, tmp_path):
    for changed in ({"token": "guessed"}, {"token": ""}):
        with pytest.raises(errors.ServiceUnavailable):
            fetch({**offer.described, **changed}, tmp_path / "arrived")
    with pytest.raises(errors.ServiceUnavailable):
        fetch(offer, tmp_path / "arrived", "/etc/passwd")
    assert not (tmp_path / "arrived").exists() or not (tmp_path / "arrived").stat().st_size


def test_who_takes_the_place_of_the_host_is_not_believed(offer, disk, tmp_path):
    """It has a certificate of its own, and learns no token."""
    impostor = transfer.Offer("127.0.0.1", {"disk": str(disk)})
    with pytest.raises(errors.ServiceUnavailable):
        fetch({**offer.described, "port": impostor.described["port"]}, tmp_path / "arrived")
    impostor.close()


def test_nothing_goes_over_the_wire_in_the_clear(offer):
    with socket.create_connection(("127.0.0.1", offer.described["port"])) as plain:
        plain.sendall(json.dumps({"token": offer.described["token"], "name": "disk"}).encode() + b"\n")
        plain.settimeout(10)
        try:
            answered = plain.recv(1 << 16)
        except OSError:
            answered = b""
    assert b"begin" not in answered


def test_bytes_that_changed_on_the_way_are_refused(tmp_path):
    source, sent = tmp_path / "small", []
    source.write_bytes(b"right")
    transfer.send(str(source), sent.append)
    stream = b"".join(sent).replace(b"right", b"wrong")
    at = iter(range(10))

    def read(count: int, position=[0]) -> bytes:  # noqa: B006
        next(at)
        position[0] += count
        return stream[position[0] - count:position[0]]
    with pytest.raises(errors.StepFailed, match="other bytes"):
        transfer.receive(tmp_path / "arrived", read, 5)


@pytest.mark.parametrize("parts", [
    [(1 << 60, 0)],  # a disk that is larger than it was said to be
    [(1 << 40, 10)],  # data behind its end
    [(0, 1 << 60)],
    [(0, 600), (0, 600)],  # again and again, without an end
], ids=["size", "offset", "length", "overlap"])
def test_no_more_is_taken_than_was_declared(tmp_path, parts):
    given = []

    def read(count: int) -> bytes:
        given.append(count)
        return transfer._PART.pack(*parts.pop(0)) if count == transfer._PART.size else b"x" * count
    with pytest.raises(errors.StepFailed, match="larger"):
        transfer.receive(tmp_path / "arrived", read, 1000)
    assert sum(given) < 1200 and (tmp_path / "arrived").stat().st_size <= 1000


@pytest.mark.alone
def test_a_transfer_is_left_at_once_when_nobody_needs_it(offer, tmp_path, monkeypatch):
    """The other host stands still in the middle of the disk."""
    sent, go_on = threading.Event(), threading.Event()

    def half(path, write):
        write(transfer._PART.pack(0, 1000))
        write(b"x" * 10)
        sent.set()
        go_on.wait(60)
    monkeypatch.setattr(transfer, "send", half)
    began, ended = time.monotonic(), threading.Event()

    def work(shared):
        try:
            transfer.fetch(offer.described, "disk", tmp_path / "arrived", 10 * GIB, shared)
        finally:
            ended.set()
    with pytest.raises(errors.Superseded):
        shared_work.attended(work, sent.is_set)
    assert ended.wait(5) and time.monotonic() - began < 5
    go_on.set()


def threads_of_strangers() -> int:
    """Of one offer, a thread of which waits for them."""
    return sum(t.name == _TestedOffer.name for t in threading.enumerate()) - 1


def test_strangers_take_few_threads_and_keep_nobody_out(offer, tmp_path):
    where = offer.described["address"], offer.described["port"]
    honest = socket.create_connection(where)  # who is slower than all of them
    strangers = [socket.create_connection(where, source_address=("127.0.0.2", 0)) for _ in range(offers.MAX_ENTERING * 4)]
    wait_for(lambda: 0 < threads_of_strangers() <= offers.MAX_ENTERING, 5, every_s=0.01, what="the end of the first of them")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
    with tls.wrap_socket(honest) as secure:
        secure.sendall(json.dumps({"token": offer.described["token"], "name": "disk"}).encode() + b"\n")
        assert secure.recv(1)
    fetch(offer, tmp_path / "arrived")
    for stranger in strangers:
        stranger.close()


@pytest.mark.parametrize("speaks", ["no TLS", "TLS"])
@pytest.mark.alone
def test_who_takes_his_time_to_show_the_token_is_not_waited_for(offer, monkeypatch, speaks):
    monkeypatch.setattr(offers, "ENTER_S", 0.5)
    with socket.create_connection((offer.described["address"], offer.described["port"])) as plain:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
        stranger = tls.wrap_socket(plain) if speaks == "TLS" else plain
        began = time.monotonic()
        with pytest.raises(OSError):
            for byte in b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"x" * 100:
                stranger.sendall(bytes([byte]))
                time.sleep(0.1)
        assert time.monotonic() - began < 3
        stranger.close()
    wait_for(lambda: not threads_of_strangers(), 5, every_s=0.01, what="its thread's end")


def test_a_connection_that_breaks_off_is_tried_again_later(offer, tmp_path, monkeypatch):
    def half(path, write):
        write(transfer._PART.pack(0, 1000))
        write(b"x" * 10)
    monkeypatch.setattr(transfer, "send", half)
    with pytest.raises(errors.ServiceUnavailable):
        fetch(offer, tmp_path / "arrived")


def test_an_offer_ends_when_nobody_asks(disk, tmp_path, monkeypatch):
    monkeypatch.setattr(transfer, "IDLE_S", 0.2)
    others = set(threading.enumerate())
    made = transfer.Offer("127.0.0.1", {"disk": str(disk)})
    for thread in set(threading.enumerate()) - others:
        thread.join(5)
        assert not thread.is_alive()
    with pytest.raises(errors.ServiceUnavailable):
        fetch(made, tmp_path / "arrived")


def test_an_offer_goes_on_while_a_file_of_it_is_sent(disk, tmp_path, monkeypatch):
    """The image that a disk is based on may take longer than an offer waits."""
    send = transfer.send

    def slow(path, write):
        time.sleep(1)
        send(path, write)
    monkeypatch.setattr(transfer, "IDLE_S", 0.4)
    monkeypatch.setattr(transfer, "send", slow)
    made = transfer.Offer("127.0.0.1", {"disk": str(disk)})
    for _ in range(2):
        fetch(made, tmp_path / "arrived")
    made.close()


def test_who_does_not_show_the_token_keeps_no_offer_from_ending(disk, monkeypatch):
    monkeypatch.setattr(transfer, "IDLE_S", 0.5)
    made = transfer.Offer("127.0.0.1", {"disk": str(disk)})
    where, began = (made.described["address"], made.described["port"]), time.monotonic()
    with pytest.raises(ConnectionRefusedError):
        while time.monotonic() - began < 3:
            socket.create_connection(where).close()
            time.sleep(0.1)
    made.close()


def test_only_the_newest_tls(offer):
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    tls.check_hostname, tls.verify_mode, tls.maximum_version = False, ssl.CERT_NONE, ssl.TLSVersion.TLSv1_2
    with socket.create_connection(("127.0.0.1", offer.described["port"])) as plain, pytest.raises(OSError):
        tls.wrap_socket(plain)
