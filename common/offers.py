"""TLS connections from one host to another, without certificates to distribute or to renew.

A host that offers a connection listens on a port of its management address, with a key and a certificate made for this offer.
It sends address, certificate and a token to the other host over the message bus, which authenticates hosts. The other host
connects, accepts only that certificate, and presents the token. Nobody else can read or change what is sent.
"""

import contextlib
import datetime
import errno
import hmac
import json
import logging
import secrets
import socket
import ssl
import tempfile
import threading
import time

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from common.connections import Crowd, shut

LOG = logging.getLogger(__name__)
_MAX_REQUEST_BYTES = 1024
# A peer must present the token within so many seconds. At most so many may be about to.
ENTER_S, MAX_ENTERING = 10.0, 16
ACCEPT_AGAIN_S = 0.1  # after a failure, as when the process has no file descriptor left
# When a connection whose peer has disappeared counts as broken.
_KEEPALIVE = {socket.TCP_KEEPIDLE: 60, socket.TCP_KEEPINTVL: 20, socket.TCP_KEEPCNT: 3}


def keep_alive(connection: socket.socket) -> None:
    """Detect a peer that has disappeared, even if nothing is sent."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in _KEEPALIVE.items():
        connection.setsockopt(socket.IPPROTO_TCP, option, value)


def _certificate() -> tuple[bytes, bytes]:
    """(PEM of a new certificate, PEM of its key). The peer compares the certificate, so its dates do not matter."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "pileus offer")])
    made = (x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
            .serial_number(x509.random_serial_number()).not_valid_before(datetime.datetime(2020, 1, 1))
            .not_valid_after(datetime.datetime(2120, 1, 1)).sign(key, hashes.SHA256()))
    return made.public_bytes(serialization.Encoding.PEM), key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


class Offer:
    """A listening port, and what ``take`` needs to connect to it.

    ``described``: {"address", "port", "token", "certificate": PEM}, to be sent to the other host
    ``socket``: the listening socket; pass connections that it accepts to ``admit``
    """

    def __init__(self, address: str):
        self._token = secrets.token_urlsafe(32)
        self._entrance = Crowd(MAX_ENTERING)
        certificate, key = _certificate()
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.minimum_version = ssl.TLSVersion.TLSv1_3
        with tempfile.NamedTemporaryFile() as chain:  # 0600, and removed at once: ssl reads keys only from files
            chain.write(certificate + key)
            chain.flush()
            self._tls.load_cert_chain(chain.name)
        self.socket = socket.create_server((address, 0), family=socket.AF_INET6 if ":" in address else socket.AF_INET)
        self.described = {"address": address, "port": self.socket.getsockname()[1], "token": self._token,
                          "certificate": certificate.decode()}

    def admit(self, connection: socket.socket, silence_s: float) -> tuple[ssl.SSLSocket, dict]:
        """Authenticate a peer that has connected.

        :param silence_s: timeout of later reads and writes
        :returns: the TLS connection, and the arguments that the peer passed to ``take``
        :raises OSError, ValueError: the peer does not have the token, does not present it in time, or breaks the protocol; the
            connection is closed
        """
        deadline = time.monotonic() + ENTER_S
        with connection:  # wrap_socket detaches it, so this closes it only if that fails
            keep_alive(connection)
            address = str(connection.getpeername()[0])
            secure = self._tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        try:
            with self._entrance.waiting(secure, address), self._entrance.member():
                secure.settimeout(ENTER_S)
                secure.do_handshake()
                try:
                    asked = json.loads(_line(secure, deadline))
                except RecursionError as error:  # of deeply nested lists
                    raise ValueError("not a request") from error
            secure.settimeout(silence_s)
            if not isinstance(asked, dict) or not hmac.compare_digest(str(asked.get("token")).encode(), self._token.encode()):
                raise ValueError("a wrong token")
        except BaseException:
            secure.close()
            raise
        return secure, asked

    def close(self) -> None:
        self.socket.close()


class Server:
    """Answers those who take an offer, each in a thread, until it is closed or none has been answered for ``idle_s`` seconds. Who
    lacks the token does not prolong that.

    ``described``: as of ``Offer``

    :param silence_s: timeout of reads and writes
    """

    name = "offer"

    def __init__(self, address: str, idle_s: float, silence_s: float):
        self._port, self._idle_s, self._silence_s = Offer(address), idle_s, silence_s
        self.described = self._port.described
        self._guard, self._open, self._until = threading.Lock(), set[socket.socket](), time.monotonic() + idle_s
        threading.Thread(target=self._serve, daemon=True, name=self.name).start()

    def answer(self, secure: ssl.SSLSocket, asked: dict) -> None:
        """:param asked: what the other host passed to ``take``. OSError, ValueError, KeyError and TypeError are logged"""
        raise AssertionError("a server must implement answer")

    def _serve(self) -> None:
        with self._port.socket as listening:
            while (left_s := self._left_s()) > 0:
                try:
                    listening.settimeout(left_s)
                    connection, peer = listening.accept()
                except TimeoutError:
                    continue
                except OSError as error:
                    if error.errno in (errno.EINVAL, errno.EBADF):  # it was closed
                        return
                    LOG.warning("%s: a connection could not be accepted: %s", self.name, error)
                    time.sleep(ACCEPT_AGAIN_S)
                    continue
                threading.Thread(target=self._admit, args=(connection, peer), daemon=True, name=self.name).start()

    def _left_s(self) -> float:
        """How long the offer lasts at least."""
        with self._guard:
            return self._idle_s if self._open else self._until - time.monotonic()

    def _admit(self, connection: socket.socket, peer) -> None:
        try:
            secure, asked = self._port.admit(connection, self._silence_s)
            with secure, self._lasting(secure):
                self.answer(secure, asked)
        except (OSError, ValueError, KeyError, TypeError) as error:  # ssl.SSLError is an OSError
            LOG.warning("%s: a connection from %s ended: %s", self.name, peer[0], error)

    @contextlib.contextmanager
    def _lasting(self, secure: socket.socket):
        with self._guard:
            self._open.add(secure)
        try:
            yield
        finally:
            with self._guard:
                self._open.discard(secure)
                self._until = time.monotonic() + self._idle_s

    def close(self) -> None:
        """Accept no more connections, and end those that are open."""
        shut(self._port.socket)  # wakes the thread that waits for connections, which closes it
        with self._guard:
            for secure in self._open:
                shut(secure)


def _line(secure: ssl.SSLSocket, deadline: float) -> bytes:
    """Read the first line, and no byte of what follows it.

    :raises OSError: it is not complete by ``deadline``
    """
    line = b""
    while not line.endswith(b"\n") and len(line) < _MAX_REQUEST_BYTES:
        secure.settimeout(max(0.001, deadline - time.monotonic()))
        byte = secure.recv(1)
        if not byte:
            break
        line += byte
    return line


def take(offer: dict, silence_s: float, **asked) -> ssl.SSLSocket:
    """Connect to a host that made an offer.

    :param offer: ``Offer.described``
    :param silence_s: timeout of the connection, and of later reads and writes
    :param asked: arguments, which ``admit`` returns to the other host
    :raises OSError: the host does not answer, or has another certificate
    """
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    tls.minimum_version, tls.check_hostname = ssl.TLSVersion.TLSv1_3, False  # only this certificate is trusted
    tls.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    tls.load_verify_locations(cadata=offer["certificate"])
    plain = socket.create_connection((offer["address"], offer["port"]), timeout=silence_s)
    with plain:  # as in ``admit``
        keep_alive(plain)
        secure = tls.wrap_socket(plain)
    try:
        secure.sendall(json.dumps({"token": offer["token"], **asked}).encode() + b"\n")
    except BaseException:
        secure.close()
        raise
    return secure
