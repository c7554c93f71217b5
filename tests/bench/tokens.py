"""What tokens cost: validation over HTTP beside a bare WebOb application, checks in process, a login beside its hash.

    python -m tests.bench.tokens [--seconds 5]

Needs wrk (apt install wrk), which loads one worker at concurrency 8 from one thread. Identity runs alone, over SQLite,
in a state directory of its own. Nothing here is a test.
"""

import argparse
import multiprocessing
import re
import subprocess
import tempfile
import time

import bcrypt

from common import tokens
from common.context import Context
from tests.identity.conftest import Caller

SCOPE = {"project": {"name": "admin", "domain": {"id": "default"}}}


def serve(state: str, port, address) -> None:
    """A child: identity, and beside it an application that answers as many bytes at once. Ports are told by ``port``."""
    import eventlet
    eventlet.monkey_patch()
    import eventlet.wsgi
    import webob
    caller = Caller(state)
    body = caller.send("GET", "/v3/auth/tokens", token=caller.admin, X_Subject_Token=caller.admin).body

    def bare(environ, start_response):
        webob.Request(environ)
        return webob.Response(body=body, content_type="application/json")(environ, start_response)
    for work in caller.service.periodics:
        work.start(caller.service.stop_event)
    sockets = [eventlet.listen((address, 0)) for _ in range(2)]
    port.send(([s.getsockname()[1] for s in sockets], caller.admin))
    eventlet.spawn(eventlet.wsgi.server, sockets[0], bare, log_output=False)
    eventlet.wsgi.server(sockets[1], caller.app, log_output=False)


def load(url: str, seconds: int, token: str) -> float:
    """Requests a second."""
    headers = ["-H", f"X-Auth-Token: {token}", "-H", f"X-Subject-Token: {token}"]
    words = ["wrk", "-t1", "-c8", f"-d{seconds}s", *headers, url]
    done = subprocess.run(words, check=True, capture_output=True, text=True).stdout
    assert "Non-2xx" not in done, done
    return float(re.findall(r"Requests/sec:\s+([\d.]+)", done)[0])


def rate(work, seconds: float) -> float:
    """Calls a second of this process."""
    count, end = 0, time.perf_counter() + seconds
    began = time.perf_counter()
    while time.perf_counter() < end:
        for _ in range(100):
            work()
        count += 100
    return count / (time.perf_counter() - began)


def over_http(seconds: int) -> None:
    with tempfile.TemporaryDirectory() as state:
        here, there = multiprocessing.Pipe()
        child = multiprocessing.get_context("spawn").Process(target=serve, args=(state, there, "127.0.0.1"))
        child.start()
        try:
            (bare_port, port), token = here.recv()
            bare = load(f"http://127.0.0.1:{bare_port}/", seconds, token)
            found = load(f"http://127.0.0.1:{port}/v3/auth/tokens", seconds, token)
            again = load(f"http://127.0.0.1:{bare_port}/", seconds, token)
        finally:
            child.kill()
    print(f"GET /v3/auth/tokens: {found:.0f}/s; a bare WebOb application with as long an answer: {bare:.0f}/s before, "
          f"{again:.0f}/s after; {(bare + again) / 2 / found:.1f} times as much")


def in_process(seconds: int) -> None:
    with tempfile.TemporaryDirectory() as state:
        caller = Caller(state, {"identity.password_hash_rounds": 12})
        try:
            token, verifier = caller.admin, caller.service.verifier
            few = rate(lambda: verifier.check(token), seconds)
            new = tokens.Verifier(verifier.keys)
            fresh = rate(lambda: new.check(token) and new._cache.clear(), seconds)
            at = time.time() - 10
            verifier.revocations.add([{"id": 10 ** 6 + i, "issued_before": at, "expires_at": at + 3600, "user_id": f"{i:032x}"}
                                      for i in range(10000)])
            many = rate(lambda: verifier.check(token), seconds)
            print(f"a check in process: {few:.0f}/s, with 10,000 revocations {many:.0f}/s ({many / few:.2f}); of a token never "
                  f"seen before {fresh:.0f}/s")
            began, count = time.perf_counter(), 10
            for _ in range(count):
                assert caller.login("admin", "secret", SCOPE).status_int == 201
            login = (time.perf_counter() - began) / count
            hashed = bcrypt.hashpw(b"secret", bcrypt.gensalt(12))
            began = time.perf_counter()
            for _ in range(count):
                bcrypt.checkpw(b"secret", hashed)
            hashing = (time.perf_counter() - began) / count
            print(f"a login: {login * 1000:.1f} ms, of which the password's hash {hashing * 1000:.1f} ms ({login / hashing:.3f})")
            ctx = Context(user_id="u", roles=("admin",), audit_ids=("a",), issued_at=at, expires_at=at + 3600)
            key_id, key = caller.service.keys.signing()
            print(f"a signature: {1e6 / rate(lambda: tokens.sign(ctx, key, key_id), seconds):.0f} us")
        finally:
            caller.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=5)
    args = parser.parse_args()
    in_process(args.seconds)
    over_http(args.seconds)


if __name__ == "__main__":
    main()
