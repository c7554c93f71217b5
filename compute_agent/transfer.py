"""Files of a guest on their way from one host to another.

The host that has them offers them (``common.offers``); an offer names its files and ends by itself.

A file is sent as its parts that hold data, each after its offset and length, so holes stay holes. The last part has length
0 and the file's size as its offset; a SHA-256 of all of it follows.
"""

import hashlib
import logging
import os
import pathlib
import struct

from common import errors, offers, shared_work

LOG = logging.getLogger(__name__)
_PART = struct.Struct(">QQ")
_BLOCK = 1 << 20
IDLE_S = 120.0  # an offer ends when for so long nothing has been sent
SILENCE_S = 60.0  # of a connection


def _parts(handle) -> list[tuple[int, int]]:
    """(offset, length) of what holds data."""
    found, at, size = [], 0, os.fstat(handle.fileno()).st_size
    while at < size:
        try:
            start = os.lseek(handle.fileno(), at, os.SEEK_DATA)
        except OSError:  # nothing but a hole is left
            break
        at = os.lseek(handle.fileno(), start, os.SEEK_HOLE)
        found.append((start, at - start))
    return found


def send(path: str, write) -> None:
    """Send a file; ``write`` takes bytes."""
    digest = hashlib.sha256()

    def hashed(data: bytes) -> None:
        digest.update(data)
        write(data)
    with open(path, "rb") as source:
        for offset, length in _parts(source):
            hashed(_PART.pack(offset, length))
            source.seek(offset)
            while length:
                block = source.read(min(_BLOCK, length))
                if not block:
                    raise OSError(f"{path} became shorter while it was sent")
                hashed(block)
                length -= len(block)
        hashed(_PART.pack(os.fstat(source.fileno()).st_size, 0))
    write(digest.digest())


def receive(path: pathlib.Path, read, max_bytes: int) -> None:
    """Write what ``send`` sends into a new file; ``read(n)`` returns n bytes.

    :param max_bytes: how large the file may be
    :raises ServiceUnavailable: it broke off
    :raises StepFailed: other bytes came than were sent, or more, or there is no space
    """
    digest, end = hashlib.sha256(), 0

    def hashed(count: int) -> bytes:
        data = read(count)
        digest.update(data)
        return data
    try:
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600), "wb") as target:
            while True:
                offset, length = _PART.unpack(hashed(_PART.size))
                if offset < end or (end := offset + length) > max_bytes:
                    raise errors.StepFailed(reason="The disk that another host sends is larger than it may be.")
                if not length:
                    break
                target.seek(offset)
                while length:
                    block = hashed(min(_BLOCK, length))
                    target.write(block)
                    length -= len(block)
            target.truncate(offset)
            target.flush()
            os.fsync(target.fileno())
    except OSError as error:
        raise errors.StepFailed(reason="The host has no space for the disk.", internal=str(error)) from error
    if read(digest.digest_size) != digest.digest():
        raise errors.StepFailed(reason="A disk arrived with other bytes than were sent.")


class Offer(offers.Server):
    """Files that another host may fetch, until none has been sent for IDLE_S: the next one is asked for when one is there.

    :param files: {name: path}
    """

    name = "disk-offer"

    def __init__(self, address: str, files: dict[str, str]):
        self.files = files
        super().__init__(address, IDLE_S, SILENCE_S)

    def answer(self, secure, asked):
        send(self.files[asked["name"]], secure.sendall)


def fetch(offer: dict, name: str, target: pathlib.Path, max_bytes: int, work: shared_work.SharedWork) -> None:
    """Fetch a file that another host offers.

    :param offer: ``Offer.described``
    :param max_bytes: as of ``receive``
    :param work: ends when nobody waits for it any more
    :raises ServiceUnavailable: the other host does not answer, or broke off
    :raises StepFailed: as ``receive``
    """
    away = errors.ServiceUnavailable(part=f"the host at {offer['address']}, which has the disk")
    try:
        with offers.take(offer, SILENCE_S, name=name) as secure, secure.makefile("rb") as stream, work.reading(
                lambda: offers.shut(secure)):
            def read(count: int) -> bytes:
                try:
                    data = stream.read(count)
                except OSError as error:
                    raise errors.ServiceUnavailable(str(away), internal=str(error)) from error
                if len(data) < count:
                    raise away
                return data
            receive(target, read, max_bytes)
    except OSError as error:
        raise errors.ServiceUnavailable(str(away), internal=str(error)) from error
