"""What a service knows of tokens just after its start, and when identity is away."""

import threading
import time
import types

import pytest

from common import auth, context, errors


class Identity:
    """Answers once it is there."""

    def __init__(self):
        self.there = threading.Event()

    def request(self, *args, **more):
        if not self.there.is_set():
            raise errors.ServiceUnavailable(part="the identity service")
        return {"events": [], "keys": []}


class Verifier:
    def __init__(self):
        self.keys: dict = {}
        self.revocations = types.SimpleNamespace(last_id=0, add=lambda events: None)

    def check(self, token):
        return context.service_context()


@pytest.fixture
def service():
    made = types.SimpleNamespace(conf=types.SimpleNamespace(service_auth=types.SimpleNamespace(max_silence=60.0)),
                                 verifier=Verifier(), identity=Identity(), api="compute")
    made.pull = auth.RevocationPull(made.verifier, made.identity)
    return made


def ask(service) -> str:
    environ = {"PATH_INFO": "/v2.1/servers", "REQUEST_METHOD": "GET", "HTTP_X_AUTH_TOKEN": "t",
               "pileus.context": context.service_context()}
    return auth.Auth(lambda environ, start_response: "answered", service)(environ, None)


def test_a_service_that_has_just_started_responds(service, monkeypatch):
    """It was refused, although identity was well: a build that met two restarts failed."""
    monkeypatch.setattr(auth, "FIRST_S", 30.0)

    def pull():
        time.sleep(0.2)
        service.identity.there.set()
        service.pull.run_once()
    thread = threading.Thread(target=pull)
    thread.start()
    began = time.monotonic()
    assert ask(service) == "answered" and time.monotonic() - began < 20
    thread.join()


def test_without_identity_tokens_are_refused(service, monkeypatch):
    monkeypatch.setattr(auth, "FIRST_S", 0.05)
    with pytest.raises(errors.ServiceUnavailable, match="identity"):
        ask(service)
    service.identity.there.set()
    service.pull.run_once()
    assert ask(service) == "answered"
    service.conf.service_auth.max_silence = -1.0
    with pytest.raises(errors.ServiceUnavailable, match="identity"):
        ask(service)
