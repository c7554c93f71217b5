"""The metadata address inside each network: who asks is known by the port, never by what is said.

A socket made inside a namespace stays there, so this process listens in all
of them at once and needs no proxy process for each.
"""

import hashlib
import hmac
import logging
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import urllib3

from network.agent.links import in_namespace

POST_LIMIT = 4096
LOG = logging.getLogger(__name__)


class _Handler(BaseHTTPRequestHandler):
    timeout = 10
    protocol_version = "HTTP/1.1"
    server: "_Server"

    def log_message(self, format, *args):
        LOG.debug("%s: %s", self.client_address[0], format % args)

    def _answer(self, status: int, body: bytes, kind: str = "text/plain") -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        self.close_connection = True

    def do_POST(self):
        """A guest's password, or whatever else small it is that guests may post."""
        try:
            length = int(self.headers.get("Content-Length", ""))
        except ValueError:
            self._answer(411, b"a length is required")
            return
        if not 0 <= length <= POST_LIMIT:
            self._answer(413, b"too large")
            return
        self.do_GET(self.rfile.read(length))

    def do_GET(self, body: bytes | None = None):
        port = self.server.proxy.port_of(self.server.network_ids, self.client_address[0])
        if port is None:
            self._answer(404, b"no server has this address")
            return
        try:
            response = self.server.proxy.fetch(port, self.path, body)
        except urllib3.exceptions.HTTPError:
            self._answer(503, b"the metadata service does not answer")
            return
        self._answer(response.status, response.data, response.headers.get("Content-Type", "text/plain"))

    do_HEAD = do_GET


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, sock: socket.socket, proxy: "MetadataProxy", network_ids: list[str]):
        super().__init__(("", 0), _Handler, bind_and_activate=False)
        self.socket.close()
        self.socket, self.proxy, self.network_ids = sock, proxy, network_ids


class MetadataProxy:
    """Listeners by namespace, and whom their callers are."""

    def __init__(self, conf):
        self.conf = conf
        self.pool = urllib3.PoolManager(maxsize=8, retries=False)
        self._servers: dict[str, _Server] = {}
        self._ports: dict[tuple[str, str], dict] = {}

    def know(self, ports: list[dict]) -> None:
        self._ports = {(p["network_id"], ip["ip_address"]): p for p in ports for ip in p["fixed_ips"]}

    def port_of(self, network_ids: list[str], address: str) -> dict | None:
        return next((self._ports[n, address] for n in network_ids if (n, address) in self._ports), None)

    def fetch(self, port: dict, path: str, body: bytes | None = None):
        secret = self.conf.network.metadata_secret.encode()
        signature = hmac.new(secret, port["device_id"].encode(), hashlib.sha256).hexdigest()
        method = "GET" if body is None else "POST"
        return self.pool.request(method, self.conf.endpoints.metadata + path, timeout=10, body=body, headers={
            "X-Instance-ID": port["device_id"], "X-Tenant-ID": port["project_id"],
            "X-Instance-ID-Signature": signature})

    def listen(self, namespace: str, address: str, tcp_port: int, network_ids: list[str]) -> None:
        """Answer in a namespace for the servers of these networks. Repeatable."""
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
            server = _Server(in_namespace(namespace, make), self, network_ids)
        except OSError as error:
            LOG.warning("metadata cannot be served in %s: %s", namespace, error)
            return
        self._servers[namespace] = server
        threading.Thread(target=server.serve_forever, name=f"metadata-{namespace}", daemon=True).start()

    def keep(self, namespaces: set[str]) -> None:
        """Close the listeners of other namespaces."""
        for name in set(self._servers) - namespaces:
            server = self._servers.pop(name)
            threading.Thread(target=server.shutdown, daemon=True).start()
            server.socket.close()
