"""Paste factories of the identity API."""

import dataclasses
import re

from common import access, context, errors
from common.middleware import filter_factory
from common.wsgi import SERVICES, Application
from identity import router


def app_factory(global_conf, **local):
    return Application("identity", SERVICES[global_conf["pileus_service"]], router.ROUTES)


_PASSWORD = re.compile(r"/v3/users/[^/]+/password")


class Auth:
    """Verify the caller's token; requests without one pass only to what is open: discovery and login."""

    def __init__(self, app, service):
        self.app, self.service = app, service

    def __call__(self, environ, start_response):
        path = environ.get("PATH_INFO", "").rstrip("/")
        token = environ.get("HTTP_X_AUTH_TOKEN")
        login = path == "/v3/auth/tokens" and environ["REQUEST_METHOD"] == "POST"
        # Whoever changes a password proves himself by the old one; with an expired one he has no token.
        change = _PASSWORD.fullmatch(path) and environ["REQUEST_METHOD"] == "POST"
        if not (path in ("", "/v3") or login or change):
            if not token:
                raise errors.Unauthorized()
            plain = environ["pileus.context"]
            caller = self.service.verifier.check(token)
            access.check(caller, "identity", environ["REQUEST_METHOD"], environ.get("PATH_INFO", ""))
            ctx = dataclasses.replace(caller, request_id=plain.request_id,
                                      global_request_id=plain.global_request_id)
            environ["pileus.context"] = ctx
            context.activate(ctx)
        return self.app(environ, start_response)


auth_factory = filter_factory(Auth)
