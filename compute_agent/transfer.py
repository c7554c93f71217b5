"""Files of a guest on their way from one host to another.

The host that has them offers them: it listens on a port of its management address, with a key and a certificate made for
this offer. Address, certificate and a token go to the other host over the bus, which is where hosts know each other from; the
other connects by TLS, accepts that certificate only, and shows the token. So there is nothing to distribute or to renew, and
who is in between reads and changes nothing. An offer names its files and ends by itself.

A file is sent as its parts that hold data, each after its offset and length, so holes stay holes. The last part has length
0 and the file's size as its offset; a SHA-256 of all of it follows.
"""

import contextlib
import datetime
import hashlib
import hmac
import json
import logging
import os
import pathlib
import secrets
import socket
import ssl
import struct
import tempfile
import threading
import time

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from common import errors

LOG = logging.getLogger(__name__)
_PART = struct.Struct(">QQ")
_BLOCK = 1 << 20
_MOST_OF_REQUEST = 1024
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


def receive(path: pathlib.Path, read) -> None:
    """Write what ``send`` sends into a new file; ``read(n)`` returns n bytes.

    :raises ServiceUnavailable: it broke off
    :raises StepFailed: other bytes came than were sent, or there is no space
    """
    digest = hashlib.sha256()

    def hashed(count: int) -> bytes:
        data = read(count)
        digest.update(data)
        return data
    try:
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600), "wb") as target:
            while True:
                offset, length = _PART.unpack(hashed(_PART.size))
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


def _certificate() -> tuple[bytes, bytes]:
    """(PEM of a new certificate, PEM of its key). It is compared, not judged: its dates say nothing."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "pileus disk transfer")])
    made = (x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
            .serial_number(x509.random_serial_number()).not_valid_before(datetime.datetime(2020, 1, 1))
            .not_valid_after(datetime.datetime(2120, 1, 1)).sign(key, hashes.SHA256()))
    return made.public_bytes(serialization.Encoding.PEM), key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


class Offer:
    """Files that another host may fetch, until none has been sent for IDLE_S; who lacks the token does not prolong that.

    :param files: {name: path}
    """

    def __init__(self, address: str, files: dict[str, str]):
        self.files, self._token = files, secrets.token_urlsafe(32)
        certificate, key = _certificate()
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.minimum_version = ssl.TLSVersion.TLSv1_3
        with tempfile.NamedTemporaryFile() as chain:  # 0600, and gone at once: ssl takes keys from files only
            chain.write(certificate + key)
            chain.flush()
            self._tls.load_cert_chain(chain.name)
        self._socket = socket.create_server((address, 0), family=socket.AF_INET6 if ":" in address else socket.AF_INET)
        self._guard, self._sending, self._until = threading.Lock(), 0, time.monotonic() + IDLE_S
        self.described = {"address": address, "port": self._socket.getsockname()[1], "token": self._token,
                          "certificate": certificate.decode()}
        threading.Thread(target=self._serve, daemon=True, name="disk-offer").start()

    def _serve(self) -> None:
        with self._socket:
            while (left_s := self._left_s()) > 0:
                try:
                    self._socket.settimeout(left_s)
                    connection, peer = self._socket.accept()
                except TimeoutError:
                    continue
                except OSError:  # it was closed
                    return
                threading.Thread(target=self._answer, args=(connection, peer), daemon=True, name="disk-sender").start()

    def _left_s(self) -> float:
        """How long the offer lasts at least."""
        with self._guard:
            return IDLE_S if self._sending else self._until - time.monotonic()

    @contextlib.contextmanager
    def _lasting(self):
        """The offer does not end meanwhile: the next file is asked for when this one is there."""
        with self._guard:
            self._sending += 1
        try:
            yield
        finally:
            with self._guard:
                self._sending, self._until = self._sending - 1, time.monotonic() + IDLE_S

    def _answer(self, connection: socket.socket, peer) -> None:
        try:
            connection.settimeout(SILENCE_S)
            with self._tls.wrap_socket(connection, server_side=True) as secure, secure.makefile("rb") as lines:
                asked = json.loads(lines.readline(_MOST_OF_REQUEST))
                if not hmac.compare_digest(str(asked["token"]).encode(), self._token.encode()):
                    raise ValueError("a wrong token")
                with self._lasting():
                    send(self.files[asked["name"]], secure.sendall)
        except (OSError, ValueError, KeyError, TypeError) as error:  # ssl.SSLError is an OSError
            LOG.warning("a disk could not be sent to %s: %s", peer[0], error)
        finally:
            connection.close()

    def close(self) -> None:
        self._socket.close()


def fetch(offer: dict, name: str, target: pathlib.Path) -> None:
    """Fetch a file that another host offers.

    :param offer: ``Offer.described``
    :raises ServiceUnavailable: the other host does not answer, or broke off
    :raises StepFailed: as ``receive``
    """
    away = errors.ServiceUnavailable(part=f"the host at {offer['address']}, which has the disk")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    tls.minimum_version, tls.check_hostname = ssl.TLSVersion.TLSv1_3, False  # the certificate itself is known
    tls.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    tls.load_verify_locations(cadata=offer["certificate"])
    try:
        with socket.create_connection((offer["address"], offer["port"]), timeout=SILENCE_S) as plain, \
                tls.wrap_socket(plain) as secure, secure.makefile("rb") as stream:
            secure.sendall(json.dumps({"token": offer["token"], "name": name}).encode() + b"\n")

            def read(count: int) -> bytes:
                try:
                    data = stream.read(count)
                except OSError as error:
                    raise errors.ServiceUnavailable(str(away), internal=str(error)) from error
                if len(data) < count:
                    raise away
                return data
            receive(target, read)
    except OSError as error:
        raise errors.ServiceUnavailable(str(away), internal=str(error)) from error
