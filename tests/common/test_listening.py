"""The sockets that APIs listen on."""

import socket
import types

from common import service


def test_accepted_connections_do_not_delay_the_last_segment():
    listening = service.listen(types.SimpleNamespace(bind_host="127.0.0.1"), 0)
    with listening, socket.create_connection(listening.getsockname()):
        accepted, _ = listening.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
