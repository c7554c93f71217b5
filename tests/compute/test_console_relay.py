"""What a browser is told when its console cannot be opened."""

import socket
import types

import pytest

from common import errors, offers
from compute_api.console import relay
from compute_api.console.places import Places

CONSOLE = {"instance_uuid": "u", "console_type": "novnc", "user_id": "me", "request_id": "req-1", "host": "secret-host"}
AWAY = "The guest's host cannot open the console now."


class Agents:
    def __init__(self, answer):
        self.answer, self.asked = answer, []

    def open_console(self, ctx, *about):
        self.asked.append(about)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def told(agents: Agents, places: Places | None = None) -> tuple[int, str]:
    """(code, reason) of the close frame."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        browser = socket.create_connection(listening.getsockname())
        connection, _ = listening.accept()
    service = types.SimpleNamespace(agents=agents, places=places or Places(1, 1))
    with browser, connection:
        relay.serve(service, None, CONSOLE, b"HTTP/1.1 101 \r\n\r\n", connection)
        answer = b""
        while data := browser.recv(4096):
            answer += data
    assert answer.startswith(b"HTTP/1.1 101 \r\n\r\n\x88")
    frame = answer.partition(b"\r\n\r\n\x88")[2][1:]
    if places is None:
        with service.places.taken("me"):  # it is free again
            pass
    return int.from_bytes(frame[:2], "big"), frame[2:].decode()


@pytest.mark.parametrize(("answer", "reason"), [
    (errors.StepFailed(reason="The guest is not running."), "The guest is not running."),
    (errors.ServiceUnavailable(part="compute-agent on secret-host"), AWAY),
    (errors.ServiceTooOld(part="compute-agent on secret-host"), AWAY)])
def test_a_reason_without_names_of_hosts(answer, reason):
    agents = Agents(answer)
    code, said = told(agents)
    assert (code, said) == (1011, reason)
    assert agents.asked == [("secret-host", "u", "vnc")]


def test_a_host_that_does_not_take_the_connection():
    offer = offers.Offer("127.0.0.1")
    offer.close()
    assert told(Agents(offer.described)) == (1011, AWAY)


def test_no_more_consoles_than_there_are_places():
    agents, places = Agents(None), Places(1, 1)
    with places.taken("other"):
        assert told(agents, places) == (1011, AWAY) and not agents.asked


def test_one_user_does_not_take_all_places():
    agents, places = Agents(None), Places(4, 2)
    with places.taken("me"), places.taken("me"), places.taken("other"):
        assert told(agents, places) == (1011, "Too many of your consoles are open.") and not agents.asked
    with places.taken("me"):
        assert places._open == {"me": 1}
