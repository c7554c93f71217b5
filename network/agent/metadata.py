"""The metadata service in each network. The caller is identified by its port, not by anything that it sends.

A socket created in a namespace stays there, so this process listens in all namespaces without a proxy process for each. Only
method, path and a small body of a request are forwarded: the path is parsed and quoted again, and sent to the configured host and
port. No header is forwarded. The caller's identity follows from its address, and the MAC that the namespace knows for it, and is
signed.
"""

import collections
import hashlib
import hmac
import io
import logging
import pathlib
import re
import socket
import sys
import threading
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import urllib3

from network.agent.links import in_namespace

HEAD_LIMIT, POST_LIMIT, ANSWER_LIMIT = 8192, 4096, 1 << 20
REQUEST_S, FETCH_S = 15, 10  # seconds for a request to arrive, and for the service to answer
# Limits of concurrent connections: total, of the guests of a project, and of a guest.
CONNECTIONS, CONNECTIONS_OF_PROJECT, CONNECTIONS_EACH = 128, 64, 8
TRIES, TRY_S = 6, 0.1  # to find out who has an address
LOG = logging.getLogger(__name__)


def path_of(target: str) -> str:
    """The path of a request target (RFC 9112: origin-form only), quoted again, without a query.

    :raises ValueError: not a path of this service
    """
    if not target.startswith("/") or target.startswith("//"):
        raise ValueError("not a path")
    decoded = urllib.parse.unquote(target.partition("?")[0], errors="strict")
    segments = decoded.split("/")
    if any(s in (".", "..") for s in segments) or any(not 0x20 < ord(c) < 0x7F or c in "\\#%" for c in decoded):
        raise ValueError("not a path of this service")
    return "/" + urllib.parse.quote("/".join(s for i, s in enumerate(segments) if s or i == len(segments) - 1), safe="/:=@,+~")


def macs_of(address: str) -> set[str]:
    """Who has an address, as the kernel knows for the thread's namespace. If it does not know, it is made to ask."""
    rows = [line.split() for line in pathlib.Path("/proc/thread-self/net/arp").read_text().splitlines()
            if line.startswith(f"{address} ")]
    found = {row[3] for row in rows if row[2] != "0x0"}  # the flags of one that has not answered
    if not found:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.sendto(b"", (address, 9))  # the port for what is to be discarded (RFC 863)
    return found


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: "_Server"

    def setup(self):
        """Read the head of the connection's only request, within its time and size limits."""
        super().setup()
        self._deadline = time.monotonic() + REQUEST_S
        self._rest = b""
        head = b""
        try:
            while b"\r\n\r\n" not in head and b"\n\n" not in head and len(head) <= HEAD_LIMIT:
                head += self._more()
        except OSError:
            head = b""
        end = min((head.index(mark) + len(mark) for mark in (b"\r\n\r\n", b"\n\n") if mark in head), default=0)
        head, self._rest = head[:end if end <= HEAD_LIMIT else 0], head[end:]
        self.rfile = io.BytesIO(head)

    def _more(self) -> bytes:
        """:raises OSError: timeout"""
        self.connection.settimeout(max(0.01, self._deadline - time.monotonic()))
        found = self.connection.recv(4096)
        if not found:
            raise ConnectionError("closed")
        return found

    def log_message(self, format, *args):
        LOG.debug("%s: %s", self.client_address[0], format % args)

    def _answer(self, status: int, body: bytes, kind: str = "text/plain") -> None:
        self.connection.settimeout(REQUEST_S)
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        self.close_connection = True

    def do_POST(self):
        """For small values that guests may post, such as a password."""
        given = self.headers.get("Content-Length", "")
        if not re.fullmatch("[0-9]+", given) or self.headers.get("Transfer-Encoding"):
            self._answer(411, b"a length is required")
            return
        length = int(given) if len(given) < 10 else POST_LIMIT + 1
        if length > POST_LIMIT:
            self._answer(413, b"too large")
            return
        body = self._rest
        while len(body) < length:
            body += self._more()
        self._pass_on(body[:length])

    def do_GET(self):
        self._pass_on(None)

    do_HEAD = do_GET

    def _pass_on(self, body: bytes | None) -> None:
        proxy = self.server.proxy
        try:
            # As it was sent: the parsing library merges two slashes at its start.
            path = path_of(self.requestline.split()[1])
        except (ValueError, IndexError):
            self._answer(400, b"not a path of this service")
            return
        port = proxy.port_of(self.server.network_ids, self.client_address[0])
        if port is None or not proxy.is_its_own(self.server.namespace, self.client_address[0], port):
            why = "no server is known to have" if port is None else "it is not the server that calls from"
            LOG.info("metadata: %s %s in %s", why, self.client_address[0], self.server.namespace)
            self._answer(404, b"no server has this address")
            return
        try:
            status, data, kind = proxy.fetch(port, path, body)
        except urllib3.exceptions.HTTPError as error:
            LOG.info("metadata: %s", error)
            self._answer(503, b"the metadata service does not answer")
            return
        self._answer(status, data, kind)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, sock: socket.socket, proxy: "MetadataProxy", namespace: str, network_ids: list[str]):
        super().__init__(("", 0), _Handler, bind_and_activate=False)
        self.socket.close()
        self.socket, self.proxy, self.namespace, self.network_ids = sock, proxy, namespace, network_ids

    def verify_request(self, request, client_address) -> bool:
        """Guests share this process, so none may use all of its threads."""
        port = self.proxy.port_of(self.network_ids, client_address[0])
        return self.proxy.enter((self.namespace, client_address[0]), port["project_id"] if port else None)

    def process_request(self, request, client_address):
        try:
            super().process_request(request, client_address)
        except RuntimeError:  # no thread could be started
            self.proxy.leave((self.namespace, client_address[0]))
            raise

    def process_request_thread(self, request, client_address):
        try:
            super().process_request_thread(request, client_address)
        finally:
            self.proxy.leave((self.namespace, client_address[0]))

    def handle_error(self, request, client_address):
        LOG.info("metadata: a request of %s broke off: %r", client_address[0], sys.exception())


class MetadataProxy:
    """Listeners by namespace, and the servers behind their addresses."""

    def __init__(self, conf):
        self.conf = conf
        endpoint = urllib3.util.parse_url(conf.endpoints.metadata)
        self.prefix = (endpoint.path or "").rstrip("/")
        kind = urllib3.HTTPSConnectionPool if endpoint.scheme == "https" else urllib3.HTTPConnectionPool
        self.pool = kind(endpoint.host, endpoint.port, maxsize=8, retries=False)
        self._servers: dict[str, _Server] = {}
        self._ports: dict[tuple[str, str], dict] = {}
        self._lock = threading.Lock()
        self._connections: collections.Counter = collections.Counter()
        self._projects: dict[tuple[str, str], str | None] = {}  # of the callers that are connected
        self._of_project: collections.Counter[str | None] = collections.Counter()

    def enter(self, caller: tuple[str, str], project: str | None) -> bool:
        """Whether another connection of a caller is accepted. :param project: of the port that has its address"""
        with self._lock:
            project = self._projects.get(caller, project)
            if (self._connections.total() >= CONNECTIONS or self._connections[caller] >= CONNECTIONS_EACH
                    or self._of_project[project] >= CONNECTIONS_OF_PROJECT):
                return False
            self._projects[caller] = project
            self._connections[caller] += 1
            self._of_project[project] += 1
            return True

    def leave(self, caller: tuple[str, str]) -> None:
        with self._lock:
            self._of_project -= collections.Counter([self._projects[caller]])
            self._connections[caller] -= 1
            if not self._connections[caller]:
                del self._connections[caller], self._projects[caller]

    def set_ports(self, ports: list[dict]) -> None:
        self._ports = {(p["network_id"], ip["ip_address"]): p for p in ports for ip in p["fixed_ips"] if p["device_id"]}

    def port_of(self, network_ids: list[str], address: str) -> dict | None:
        return next((self._ports[n, address] for n in network_ids if (n, address) in self._ports), None)

    @staticmethod
    def is_its_own(namespace: str, address: str, port: dict) -> bool:
        """Whether an address can only be used by the port that has it: without port security, or with address pairs, another
        guest may send from it.

        The kernel may have forgotten who has it, and cloud-init does not ask twice.
        """
        own = {port["mac_address"], *(p["mac_address"] for p in port["allowed_address_pairs"])}
        for _ in range(TRIES):
            try:
                found = in_namespace(namespace, lambda: macs_of(address))
            except OSError:
                return False
            if found:
                return bool(found & own)
            time.sleep(TRY_S)
        return False

    def fetch(self, port: dict, path: str, body: bytes | None = None) -> tuple[int, bytes, str]:
        """(status, body, content type) of a server's metadata.

        :raises urllib3.exceptions.HTTPError: the service does not respond, or its response is invalid
        """
        secret = self.conf.network.metadata_secret.encode()
        signature = hmac.new(secret, port["device_id"].encode(), hashlib.sha256).hexdigest()
        response = self.pool.urlopen(
            "GET" if body is None else "POST", self.prefix + path, body=body, timeout=FETCH_S, redirect=False,
            preload_content=False, headers={"X-Instance-ID": port["device_id"], "X-Tenant-ID": port["project_id"],
                                            "X-Instance-ID-Signature": signature})
        try:
            data = response.read(ANSWER_LIMIT + 1)
            if len(data) > ANSWER_LIMIT:
                raise urllib3.exceptions.HTTPError("the answer is too large")
            return response.status, data, response.headers.get("Content-Type", "text/plain")
        finally:
            response.release_conn()

    def listen(self, namespace: str, address: str, tcp_port: int, network_ids: list[str]) -> None:
        """Listen in a namespace for the servers of these networks. Repeatable."""
        known = self._servers.get(namespace)
        if known:
            known.network_ids = network_ids
            return

        def make():
            sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind((address, tcp_port))
            sock.listen(64)
            return sock
        try:
            server = _Server(in_namespace(namespace, make), self, namespace, network_ids)
        except OSError as error:
            LOG.warning("metadata cannot be served in %s: %s", namespace, error)
            return
        self._servers[namespace] = server
        threading.Thread(target=server.serve_forever, name=f"metadata-{namespace}", daemon=True).start()

    def keep(self, namespaces: set[str]) -> None:
        """Close the listeners of other namespaces."""
        for name in set(self._servers) - namespaces:
            server = self._servers.pop(name)
            threading.Thread(target=self._close, args=(server,), daemon=True).start()

    @staticmethod
    def _close(server: _Server) -> None:
        server.shutdown()
        server.server_close()
