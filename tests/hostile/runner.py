"""Send requests as bytes, and look at what comes back."""

import http.client
import io
import json
import pathlib
import re
import socket
import time

from deploy.daemons import PORTS
from tests.hostile.generator import Generator, Request
from tests.hostile.things import Things

CORPUS = pathlib.Path(__file__).with_name("corpus.json")
LONGEST_S = 2.0
# What the corpus does not spell out.
NOT_SUPPORTED = 501  # OpenStack's own answer to what a hypervisor cannot do
LONG = {"nested": '{"a":' * 950 + "1" + "}" * 950, "many": "a," * 2000, "ids": "&id=".join("x" * 1500), "ands": "&" * 3000}


class Connection:
    """One kept connection to a service, opened again where it was closed."""

    def __init__(self, port: int):
        self.port, self.sock = port, None

    def send(self, request: Request) -> tuple[int, float, str]:
        """(status, seconds, the start of the body); status 0: closed without an answer, which some bytes deserve."""
        fresh = self.sock is None or request.frame is not None or request.line is not None
        if fresh:
            self.close()
            self.sock = socket.create_connection(("127.0.0.1", self.port), timeout=20)
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        began = time.monotonic()
        try:
            self.sock.sendall(request.encode())
            if request.frame is not None or request.line is not None:
                self.sock.shutdown(socket.SHUT_WR)  # more will not come: the server need not wait for it
            answer = http.client.HTTPResponse(self.sock, method=request.method if request.line is None else None)
            answer.begin()
            body = answer.read(4096)
            answer.read()
        except TimeoutError:
            self.close()
            return 0, time.monotonic() - began, "no answer"
        except (OSError, http.client.HTTPException):  # the other end has closed it, be it before it had read all
            self.close()
            return (0, time.monotonic() - began, "") if fresh else self.send(request)
        if fresh and request.frame is not None or request.line is not None or answer.will_close:
            self.close()
        return answer.status, time.monotonic() - began, body.decode("utf-8", "replace")

    def close(self) -> None:
        if self.sock is not None:
            self.sock.close()
            self.sock = None


def corpus(service: str, things: Things) -> list[Request]:
    """Requests that once were answered with 500 or above, with today's ids."""
    found = []
    for each in json.loads(CORPUS.read_text()):
        if each["service"] != service:
            continue
        texts = {**LONG, **{k: sorted(v)[0] for k, v in things.ids.items() if v}, "project": things.admin.project_id,
        "csrf": things.csrf}

        def put(text: str, texts=texts) -> str:
            for name, known in texts.items():
                text = text.replace(f"<{name}>", known)
            return text
        headers = [(k, put(v)) for k, v in each.get("headers", {}).items()]
        if each.get("token", True):
            headers = [("Cookie", things.cookie) if service == "dashboard" else ("X-Auth-Token", things.admin.token), *headers]
        body = put(each["body"] * each.get("times", 1)).encode("latin-1") if "body" in each else b""
        if body and "Content-Type" not in each.get("headers", {}):
            headers.append(("Content-Type",
            "application/x-www-form-urlencoded" if service == "dashboard" else "application/json"))
        frame = each["frame"].encode("latin-1") if "frame" in each else None
        found.append(Request(each["method"], put(each["path"]), headers, body, frame))
    return found


class Report:
    """What was answered, and what should not have been."""

    def __init__(self, service: str):
        self.service, self.statuses, self.faults, self.slowest = service, {}, [], 0.0

    def add(self, request: Request, status: int, took: float, body: str, *, again) -> None:
        self.statuses[status] = self.statuses.get(status, 0) + 1
        if took > LONGEST_S:  # once more: on a busy machine the next one may be as slow
            took = min(took, again()[1])
        self.slowest = max(self.slowest, took)
        if status >= 500 and status != NOT_SUPPORTED or took > LONGEST_S or body == "no answer":
            shown = re.sub(r"eyJ[\w.-]{200,}|sessionid=[^;\\]+", "<token>", repr(request.encode()[:4000]))
            self.faults.append(f"{self.service} {status} {took:.2f} s: {shown[:1500]}\n    {body[:300]}")

    def text(self) -> str:
        out = io.StringIO()
        counts = ", ".join(f"{n} × {s}" for s, n in sorted(self.statuses.items()))
        print(f"{self.service}: {sum(self.statuses.values())} requests, {len(self.faults)} faults, "
              f"slowest {self.slowest:.2f} s ({counts})", file=out)
        for fault in self.faults[:20]:
            print(f"  {fault}", file=out)
        return out.getvalue()


def run(service: str, things: Things, requests: int, seed: int, *, progress=None) -> Report:
    """The corpus of a service, then ``requests`` of the generator's."""
    report, connection = Report(service), Connection(PORTS[service] + things.cloud.offset)
    generator = Generator(service, things, seed)
    known = corpus(service, things)
    denied = 0
    for number in range(len(known) + requests):
        request = known[number] if number < len(known) else generator.next()
        status, took, body = connection.send(request)
        report.add(request, status, took, body, again=lambda: connection.send(request))  # noqa: B023
        denied = denied + 1 if status in (401, 303) else 0
        if number % 1000 == 999 or denied > 12:
            things.refresh()  # a token was revoked, or what is there has changed
            denied = 0
            if progress:
                progress(report)
    connection.close()
    return report
