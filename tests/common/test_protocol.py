"""Where a request ends is no matter of opinion: after what cannot be framed, the connection ends too."""

import logging
import multiprocessing
import re
import socket

import pytest

from common import errors
from common.request_syntax import Body

HEAD = b"POST /first HTTP/1.1\r\nHost: h\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
NEXT = b"GET /second HTTP/1.1\r\nHost: h\r\n\r\n"


@pytest.fixture(scope="module")
def answers():
    """``_answers`` in a process of its own: eventlet, once it served there, would keep other tests' sockets waiting."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        yield lambda sent, read=True: pool.apply_async(_answers, (sent, read)).get(60)


def _answers(sent: bytes, read: bool) -> tuple[list[str], list[bytes]]:
    """(requests that reached the application, statuses answered) of a connection on which all that is sent."""
    import eventlet.wsgi

    from common import protocol
    seen = []

    def application(environ, start_response):
        seen.append(environ["PATH_INFO"])
        status = "200 OK"
        if read:
            try:
                seen[-1] += " " + Body(environ["wsgi.input"]).read().decode()
            except errors.BadRequest:
                status = "400 Bad Request"
        start_response(status, [("Content-Length", "0")])
        return [b""]
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.settimeout(10)
        ours.sendall(sent)
        ours.shutdown(socket.SHUT_WR)
        server = eventlet.wsgi.Server(None, ("h", 80), application, log=logging.getLogger("test"), log_output=False, debug=False,
                                      protocol=protocol.Protocol)
        protocol.Protocol([("127.0.0.1", 1), theirs, eventlet.wsgi.STATE_IDLE], server)
        said = b"".join(iter(lambda: ours.recv(65536), b""))
    return seen, re.findall(rb"HTTP/1\.[01] (\d+)", said)


@pytest.mark.parametrize("sent", [
    CHUNKED + b"2\r\n{}\r\n0\r\n\r\n", CHUNKED + b"02;a=b\r\n{}\r\n000\r\nX: trailer\r\n\r\n",
    CHUNKED + b"1\r\n{\r\n1\r\n}\r\n0\r\n\r\n",
    HEAD + b"X:\r\nX-Empty: \r\nX-Other:a:b\xff\r\nContent-Length: 2\r\n\r\n{}", HEAD + b"content-LENGTH:2\n\n{}"])
@pytest.mark.parametrize("read", [True, False])
def test_requests_follow_one_another(answers, sent, read):
    seen, statuses = answers(sent + NEXT, read=read)
    assert seen == (["/first {}", "/second "] if read else ["/first", "/second"])
    assert statuses == [b"200", b"200"]


@pytest.mark.parametrize("body", [
    b"-2\r\n{}\r\n0\r\n\r\n", b"+2\r\n{}\r\n0\r\n\r\n", b"0x2\r\n{}\r\n0\r\n\r\n", b"0_2\r\n{}\r\n0\r\n\r\n",
    b"zz\r\n0\r\n\r\n",
    b" 2\r\n{}\r\n0\r\n\r\n", b"2\n{}\n0\n\n", b"2\r\n{}more\r\n0\r\n\r\n", b"\r\n0\r\n\r\n", b"f" * 40 + b"\r\n{}\r\n0\r\n\r\n",
    b"2;" + b"x" * 5000 + b"\r\n{}\r\n0\r\n\r\n", b"2\r\n{}\r\n0\r\n" + b"X: y\r\n" * 100 + b"\r\n",
    b"2\r\n{}\r\n0\r\nnone\r\n\r\n", b"2\r\n{}\r\n0\r\n " + NEXT, b"5\r\n{}\r\n"], ids=lambda b: repr(b[:24]))
@pytest.mark.parametrize("read", [True, False])
def test_nothing_follows_a_chunk_that_is_none(answers, body, read):
    seen, statuses = answers(CHUNKED + body + NEXT, read=read)
    assert seen == ["/first"] and statuses == [b"400" if read else b"200"]


@pytest.mark.parametrize("headers", [
    b"Content-Length : 34\r\n", b"none\r\nContent-Length: 34\r\n", b" Content-Length: 34\r\n", b"X: a\r\n Content-Length: 34\r\n",
    b"X: a\rContent-Length: 34\r\n", b"X: \x00\r\nContent-Length: 34\r\n", b"From me\r\nContent-Length: 34\r\n", b": a\r\n",
    b"Content-Length: 34\r\nContent-Length: 34\r\n", b"Content-Length: 3,4\r\n", b"Content-Length: -1\r\n",
    b"Content-Length: 34\r\nTransfer-Encoding: chunked\r\n", b"Transfer-Encoding: gzip, chunked\r\n",
    b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"], ids=repr)
def test_headers_that_hide_where_a_body_ends(answers, headers):
    assert answers(HEAD + headers + b"\r\n" + NEXT) == ([], [b"400"])


def test_chunks_need_the_version_of_http_that_has_them(answers):
    assert answers(CHUNKED.replace(b"HTTP/1.1", b"HTTP/1.0") + b"0\r\n\r\n" + NEXT) == ([], [b"400"])
