"""Token validation for every service except identity: in process, with revocations polled from identity.

``RevocationPull`` polls identity twice a second for new events and keys. A small request over a persistent connection costs less
than a bus subscription in every API process, reaches every service within a second, and works while the bus is down. If identity
has not responded for ``service_auth.max_silence`` seconds, tokens are refused with 503.
"""

import dataclasses
import logging
import threading
import time

import jwt

from common import access, context, errors, periodic, tokens
from common.middleware import filter_factory
from common.rest import path

LOG = logging.getLogger(__name__)
FIRST_S = 5.0


class RevocationPull(periodic.Periodic):
    """Keeps a Verifier up to date. One pass is one conditional GET."""

    interval_s, jitter_s, every_worker = 0.5, 0.0, True

    def __init__(self, verifier: tokens.Verifier, rest):
        self.verifier, self.rest = verifier, rest
        self.heard_at = float("-inf")
        self._heard = threading.Event()

    def run_once(self) -> None:
        since = self.verifier.revocations.last_id
        answer = self.rest.request("GET", "identity", path("/v3/OS-REVOKE/events", query={"after": since}), timeout_s=2)
        self.verifier.revocations.add(answer["events"])
        for jwk in answer["keys"]:
            if jwk["kid"] not in self.verifier.keys:
                self.verifier.keys[jwk["kid"]] = jwt.PyJWK(jwk, algorithm=tokens.ALGORITHM).key
        for gone in set(self.verifier.keys) - {k["kid"] for k in answer["keys"]}:
            del self.verifier.keys[gone]
        self.heard_at = time.monotonic()
        self._heard.set()

    def silent(self, limit_s: float) -> bool:
        """Whether identity has not responded for ``limit_s``. A process that has just started waits for the first response
        instead of failing requests.
        """
        self._heard.wait(FIRST_S)
        return time.monotonic() - self.heard_at > limit_s


class Auth:
    """Puts the verified caller into the environ; answers 401 if there is none.

    Handlers never read identity headers, which a client could forge; the caller is an immutable Context.
    """

    OPEN_PATHS = frozenset(("", "/", "/v2", "/v2.0", "/v2.1", "/v3", "/versions"))

    def __init__(self, app, service, api: str = ""):
        """:param api: the type of the pipeline's API, if it is not the daemon's first; access rules name it"""
        self.app, self.service, self.api = app, service, api or service.api

    def __call__(self, environ, start_response):
        path = environ.get("PATH_INFO", "").rstrip("/")
        token = environ.get("HTTP_X_AUTH_TOKEN")
        if path in self.OPEN_PATHS and not token:
            return self.app(environ, start_response)
        if not token:
            raise errors.Unauthorized()
        if self.service.pull.silent(self.service.conf.service_auth.max_silence):
            raise errors.ServiceUnavailable(part="the identity service")
        caller = self.service.verifier.check(token)
        by_service = self._by_service(environ)
        if not (by_service and caller.access_rules is not None):  # that service has checked the access rules of his request
            access.check(caller, self.api, environ["REQUEST_METHOD"], environ.get("PATH_INFO", ""))
        plain = environ["pileus.context"]
        ctx = dataclasses.replace(caller, request_id=plain.request_id, global_request_id=plain.global_request_id,
                                  by_service=by_service)
        environ["pileus.context"] = ctx
        context.activate(ctx)
        return self.app(environ, start_response)

    def _by_service(self, environ) -> bool:
        """Whether another service sends the request for the caller. :raises Unauthorized: its token is not valid"""
        own = environ.get("HTTP_X_SERVICE_TOKEN")
        return bool(own) and self.service.verifier.check(own).is_service


factory = filter_factory(Auth)
