"""HTTP/1 on a connection, stricter than eventlet's: where a request ends must not be a matter of opinion."""

import re
import socket

import eventlet.wsgi

_METHOD = re.compile("[A-Z]{1,20}")


class Protocol(eventlet.wsgi.HttpProtocol):
    """Refuses framing that a proxy could read otherwise, and never blames the server for what a client wrote."""

    def parse_request(self) -> bool:
        if not super().parse_request():
            return False
        lengths, codings = (self.headers.get_all(n, []) for n in ("Content-Length", "Transfer-Encoding"))
        fault = (
            "The method is not valid." if not _METHOD.fullmatch(self.command) else
            "Content-Length is not valid." if len(lengths) > 1 or not all(re.fullmatch("[0-9]{1,18}", n) for n in lengths) else
            "Only the transfer coding 'chunked' is supported." if codings and [c.lower() for c in codings] != ["chunked"] else
            "There is more than one Host." if len(self.headers.get_all("Host", [])) > 1 else "")
        if fault:
            self.send_error(400, explain=fault)
        return not fault

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answer what could not be parsed; the standard library calls an unknown version of HTTP the server's fault."""
        self.close_connection = True
        super().send_error(400 if code >= 500 else code, message, explain)

    def log_message(self, *args) -> None:
        """Nothing: anybody can send what is no HTTP, as often as he likes."""


def serve(sock: socket.socket, app, log) -> None:
    """Answer requests until the socket is closed, each in a green thread."""
    eventlet.wsgi.server(sock, app, log=log, log_output=False, max_size=512, keepalive=True, socket_timeout=75, debug=False,
                         protocol=Protocol)
