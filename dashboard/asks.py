"""Requests to the APIs, as the user who is logged in.

A page states what it needs as ``Ask`` values and sends independent ones together, so that it waits for the slowest instead
of for all. The number of calls of a page does not depend on the number of rows; the header ``Server-Timing`` of each page
shows it.
"""

import dataclasses
import functools
import logging
import threading
import time
import typing

from common import context, errors
from common.rest import Path
from dashboard import session

# 2.91 is the last version at which compute makes key pairs.
VERSIONS = {"compute": "2.91", "volume": "3.67"}
_TIMES = "dashboard.times"
LOG = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Ask:
    """A request to an API.

    :param where: made by ``common.rest.path``
    :param key: the member of the answer that is wanted; "": the whole
    :param version: a microversion, if not the usual one of that service
    :param instead: the result if the API refuses or does not respond; None: the error ends the page
    """

    service: str
    where: Path
    key: str = ""
    method: str = "GET"
    body: typing.Any = None
    version: str = ""
    instead: typing.Any = None


def get(service: str, where: Path, key: str = "", *, version: str = "", instead=None) -> Ask:
    return Ask(service, where, key, version=version, instead=instead)


def client(req, service: str):
    """The client of a service in the session's region. :raises NotFound: the service is not there"""
    active = session.required(req)
    return req.svc.regions.client(active.token, active.project_id, active.region, service)


def send(req, ask: Ask):
    """The answer to a request. :raises errors.Error: as ``RestClient.request``"""
    headers, version, began = dict[str, str](), ask.version or VERSIONS.get(ask.service), time.monotonic()
    if version:
        headers["OpenStack-API-Version"] = f"{ask.service} {version}"
    if ask.method == "PATCH" and ask.service == "image":
        headers["Content-Type"] = "application/openstack-images-v2.1-json-patch"
    try:
        answer = client(req, ask.service).request(ask.method, ask.service, ask.where, body=ask.body, headers=headers,
                                                  ctx=session.required(req).context())
    except errors.Error as error:
        if ask.instead is None or isinstance(error, errors.Unauthorized):
            raise
        return ask.instead
    finally:
        req.environ.setdefault(_TIMES, []).append((ask.service, time.monotonic() - began))
    if not ask.key:
        return answer
    if not isinstance(answer, dict) or ask.key not in answer:  # a path of the API that is not what the page takes it for
        raise errors.NotFound("The resource could not be found.")
    return answer[ask.key]


def together(req, **asks: Ask) -> dict[str, typing.Any]:
    """The answers to requests that are sent at the same time, by name. :raises errors.Error: of one that fails"""
    if len(asks) == 1:
        return {name: send(req, ask) for name, ask in asks.items()}
    found = _outcomes(req, asks)
    for outcome in found.values():
        if isinstance(outcome, Exception):
            raise outcome
    return found


def attempts(req, **asks: Ask) -> dict[str, typing.Any]:
    """As ``together``, with an ``errors.Error`` in place of an answer that failed. :raises Unauthorized: the session has ended"""
    found = _outcomes(req, asks)
    for outcome in found.values():
        if isinstance(outcome, errors.Unauthorized) or isinstance(outcome, Exception) and not isinstance(outcome, errors.Error):
            raise outcome
    return found


def _outcomes(req, asks: dict[str, Ask]) -> dict[str, typing.Any]:
    """{name: the answer, or the exception} of requests that are sent at the same time."""
    found: dict[str, typing.Any] = {}
    active = context.active()

    def run(name: str, ask: Ask) -> None:
        context.activate(active)
        try:
            found[name] = send(req, ask)
        except Exception as error:  # a thread's boundary: raised in the request's thread
            found[name] = error
    threads = [threading.Thread(target=functools.partial(run, name, ask), daemon=True) for name, ask in asks.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def do(req, method: str, service: str, where: Path, body=None, key: str = ""):
    """Send a request that changes something."""
    return send(req, Ask(service, where, key, method, body))


def undo(req, service: str, where: Path) -> None:
    """Delete what a request made, because the next one failed. That error is the one to report, so one of this is only logged."""
    try:
        do(req, "DELETE", service, where)
    except errors.Error as error:
        LOG.warning("%s of the %s service was left over: %s", where, service, error.internal or error)


def timing(req, total_s: float) -> str:
    """The value of ``Server-Timing``: the time of the page, and the calls to each service."""
    calls: dict[str, list[float]] = {}
    for service, seconds in req.environ.get(_TIMES, ()):
        calls.setdefault(service, []).append(seconds)
    rows = [f"page;dur={total_s * 1000:.1f}", f'calls;desc="{sum(map(len, calls.values()))}"']
    rows += [f'{service};dur={max(times) * 1000:.1f};desc="{len(times)} calls"' for service, times in sorted(calls.items())]
    return ", ".join(rows)
