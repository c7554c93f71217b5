"""What hostile requests are made of."""

import copy
import random

SURROGATE = "\ud800"
NESTED, HUGE, NAN, INFINITE = "@nested@", "@huge@", "@nan@", "@infinite@"  # written by ``bodies.encode``
TEXTS = (
    "", " ", ".", "..", "/", "//", "../../etc/passwd", "?", "#", "&", "%", "%s%n", "%00", "\x00", "a\x00b", SURROGATE,
    f"a{SURROGATE}b",
    "\udfff\ud800", "\ufffe", "\u202e", "\u2028", "\n", "a\n", "\r\nX-Injected: 1", "\t", "\x1b[31m", "\x7f", "\x85", "²", "٣",
    "½", "é", "ваза",
    "🏺", "🏺" * 64, "a" * 37, "a" * 64, "a" * 256, "a" * 70000, "null", "None", "true", "-1", "0", "00", "1", "1e3", "1.0",
    "+1", "0x10",
    "2147483648", "9223372036854775808", "99999999999999999999", "9" * 5000, "[z-a]", "(a+)+$", "a?" * 60, "*" * 200, "\\",
    "\\1", "^", "'",
    '"', 'a"b', "' OR 1=1 --", ";", "a,b", "," * 300, "a," * 2000, "in:", "in:a,b", "gt:", "neq:", "a:b", "host:", ":host",
    "{}", "[]", "{{7*7}}",
    "${x}", "<script>", "]]>", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "0000-00-00", "2026-02-30T00:00:00Z",
    "2026-01-01",
    "fe80::1%1", "fe80::1%1 -j RETURN\n-I INPUT 1 -j ACCEPT\n#/128", "::", "::ffff:1.2.3.4", "10.0.0.0/255.255.255.0",
    "10.0.0.0/33", "10.0.0.1",
    "0.0.0.0/0", "::/0", "010.1.1.1", "256.1.1.1", "fa:16:3e:00:00:01\n", "ff:ff:ff:ff:ff:ff", "http://[::1/x",
    "http://exämple/", "http://a b/",
    "http://127.0.0.1:99999/", "file:///etc/passwd", "http://", "//x", "latest", "default", "detail", "self", "all", "tcp",
    "icmp", "any",
    "00000000-0000-0000-0000-000000000000", "00000000000000000000000000000000", "AAAAAAAA-BBBB-4CCC-8DDD-EEEEEEEEEEEE", "QUJD",
    "=", "YQ==\n",
    "0 10 * * *", "1.1", "2.999999", "unknown", "active", "error", "admin", "cirros", "private")
NUMBERS = (-1, 0, 1, -0.0, 0.5, 1e308, 65536, 1 << 31, (1 << 31) - 1, -(1 << 31) - 1, 1 << 32, (1 << 63) - 1, 1 << 63,
    -(1 << 63) - 1, 1 << 64,
           10 ** 30)
OTHERS: tuple = (None, True, False, [], {}, [[]], [None], [{}], {"": ""}, {"id": {}}, {"id": None}, {"name": []}, [1, "a",
    None], {"a": [{"b": {}}]},
                 NESTED, HUGE, NAN, INFINITE)
# Percent-encoded already: they go into paths as they are.
SEGMENTS = (
    "..", ".", "%2e%2e", "%2E", "%2F", "..%2f..%2f", "a%2Fb", "%3F", "x%3f&id=1", "%23", "%25", "%00", "%0a",
    "%0d%0aX-Injected:%201", "%FF",
    "%ED%A0%80", "%C2%B2", "%F0%9F%8F%BA", "%", "%zz", "%u0000", "a" * 300, "-1", "0", "1", "99999999999999999999", "null",
    "detail", "default",
    "defaults", "tenant", "'", "%22", "a%22b", "%5C", ";", ";a=b", "a,b", "*", "[z-a]", "%20", "+", "~", "{id}", "\xff",
    "\xb2", "a\tb", "@", ":", "=", "&",
    "00000000-0000-0000-0000-000000000000", "00000000000000000000000000000000", "AAAAAAAA-BBBB-4CCC-8DDD-EEEEEEEEEEEE",
    "%E2%80%AE", "%C0%AE")
HEADERS = (
    ("Content-Type", ("", "text/plain", "application/xml", "application/json; charset=utf-16",
    "application/json; charset=nope", "a", "\xff",
                      "multipart/form-data", "multipart/form-data; boundary=", "multipart/form-data; boundary=x",
                      "application/octet-stream",
                      "application/openstack-images-v2.1-json-patch", "application/x-www-form-urlencoded; charset=\xb2")),
    ("Accept", ("", "text/html", "*/*;q=x", "\xff", "application/xml")), ("Accept-Language", ("\xff", "x" * 300)),
    ("Host", ("", "h\xc3\xa9llo", "[::1", "a/b", "a b", "x" * 300, "evil.example", "a:99999999", "[::1]:80", "@", "\xff")),
    ("X-Auth-Token", ("", "x", "\xff", "x" * 8000, "a.b.c", "eyJhbGciOiJub25lIn0.e30.", "eyJhbGciOiJFUzI1NiJ9.e30.AAAA",
    "\xb2.\xb2.\xb2", "é")),
    ("X-Service-Token", ("", "x", "\xff", "a.b.c")), ("X-Subject-Token", ("", "x", "\xff", "a.b.c", "x" * 8000)),
    ("OpenStack-API-Version", ("", "compute", "compute 2", "compute 2.x", "compute 999.999", "compute \xb2.1",
    "volume 3.99999999999999999999",
                               "compute latest", "volume latest", "compute 2.1, volume 3.1", "\xff", "compute -1.0")),
    ("X-OpenStack-Nova-API-Version", ("", "2.x", "latest", "\xb2", "2.99999")), ("X-Openstack-Request-Id", ("req-\xff",
    "req-" + "a" * 36, "x" * 500)),
    ("Cookie", ("\xff", "sessionid=\xff", "sessionid=x; csrftoken=\xb2", "=", ";", "csrftoken=" + "x" * 5000, 'a="\\',
    "messages=x", "sessionid=é")),
    ("Origin", ("http://[::1/x", "\xff", "null", "http://evil.example")), ("Referer", ("\xff", "http://[::1/x")),
    ("Range", ("bytes=", "bytes=-", "bytes=5-1", "bytes=\xb2-", "bytes=0-99999999999999999999", "bytes=-99999999999999999999",
    "x", "bytes=0-0,2-3")),
    ("Content-Range", ("bytes 0-0/1", "bytes */*", "bytes \xb2", "x")), ("If-Match", ("*", "\xff", "revision_number=x",
    "revision_number=1",
                                                                                     "revision_number=" + "9" * 30)),
    ("X-Forwarded-For", ("\xff", "x")), ("Forwarded", ("for=\xff;host=[::1",)), ("X-Forwarded-Proto", ("\xff", "javascript")),
    ("X-Image-Meta-Name", ("\xff", "%ED%A0%80", "é", "x" * 300)), ("X-Image-Meta-Size", ("\xb2", "-1", "9" * 30)),
    ("X-Image-Meta-Property-x", ("\xff", "a")), ("X-Image-Meta-Min_Ram", ("\xb2", "x")), ("X-Image-Meta-Location",
    ("http://[::1/x", "\xff")),
    ("X-Instance-ID", ("\xff", "x")), ("X-Instance-ID-Signature", ("\xff", "x")), ("X-Federation-Secret", ("\xff", "é")),
    ("Authorization", ("\xff", "Basic \xff", "OAuth oauth_signature=\"\xff\"", "OAuth ", "OAuth oauth_timestamp=\"\xb2\"",
    "Basic eDp5")),
    ("Expect", ("100-continue", "200-ok", "\xff")), ("Connection", ("close", "upgrade", "\xff")), ("X-HTTP-Method-Override",
    ("TRACE",)),
    ("X\xff", ("1",)), ("X-Folded", ("a\r\n b",)), ("X-Many", ("x" * 9000,)))
# How the body is announced, beside a right length: each is what follows the other headers, and the body.
FRAMES = (
    (b"Transfer-Encoding: chunked\r\n", b"zz\r\nhello\r\n0\r\n\r\n"), (b"Transfer-Encoding: chunked\r\n",
    b"-5\r\nhello\r\n0\r\n\r\n"),
    (b"Transfer-Encoding: chunked\r\n", b"5\r\nhel"), (b"Transfer-Encoding: chunked\r\n", b"5\r\n{}   \r\n0\r\n\r\n"),
    (b"Transfer-Encoding: chunked\r\n", b"FFFFFFFFFFFFFFFFFFFF\r\nx\r\n"), (b"Transfer-Encoding: chunked\r\n", b"\r\n\r\n"),
    (b"Transfer-Encoding: chunked\r\n", b"0\r\nX: \xff\r\n\r\n"), (b"Transfer-Encoding: gzip, chunked\r\n",
    b"2\r\n{}\r\n0\r\n\r\n"),
    (b"Transfer-Encoding: \xff\r\n", b"{}"), (b"Transfer-Encoding: chunked\r\nContent-Length: 2\r\n", b"2\r\n{}\r\n0\r\n\r\n"),
    (b"Content-Length: -1\r\n", b"{}"), (b"Content-Length: \xb2\r\n", b"{}"), (b"Content-Length: 2\r\nContent-Length: 3\r\n",
    b"{}"),
    (b"Content-Length: 1_0\r\n", b"0123456789"), (b"Content-Length: 50\r\n", b"{}"),
    (b"Content-Length: 99999999999999999999\r\n", b"{}"),
    (b"Content-Length: +2\r\n", b"{}"), (b"Content-Length: 0\r\n", b""), (b"", b"{}"))
LINES = (b"GET / HTTP/9.9", b"GET /", b"GET", b"", b"GET / HTTP/1.1 x", b"\xff / HTTP/1.1", b"G\x00T / HTTP/1.1",
    b"GET http://[::1/x HTTP/1.1",
         b"GET //evil.example/.. HTTP/1.1", b"CONNECT x:1 HTTP/1.1", b"TRACE / HTTP/1.1", b"OPTIONS * HTTP/1.1",
         b"FOO / HTTP/1.1",
         b"get / HTTP/1.1", b"GET / HTTP/1.0", b"PRI * HTTP/2.0", b"GET /" + b"a" * 9000 + b" HTTP/1.1",
         b"GET /\xff\xfe HTTP/1.1",
         b"GET / HTTP/x", b"GET /?\xff HTTP/1.1", b"GET * HTTP/1.1")


def value(rng: random.Random):
    """Anything but what is expected."""
    kind = rng.random()
    return rng.choice(TEXTS) if kind < 0.6 else rng.choice(NUMBERS) if kind < 0.8 else copy.deepcopy(rng.choice(OTHERS))
