"""Paste factories of the identity API."""

import dataclasses
import re

from common import access, context, errors
from common.middleware import filter_factory
from common.values import same_secret
from common.wsgi import SERVICES, Application
from identity import delegation, router, unsupported
from identity.handlers.delegated import guarded
from identity.v2 import router as v2_router


def app_factory(global_conf, **local):
    routes = [guarded(r) for r in (*router.ROUTES, *v2_router.ROUTES)]
    return Application("identity", SERVICES[global_conf["pileus_service"]], routes, missing=unsupported.TABLE)


_OPEN = ("", "/v3", "/v2.0", "/v2.0/extensions")
_LOGINS = ("/v3/auth/tokens", "/v2.0/tokens", "/v3/OS-OAUTH1/request_token", "/v3/OS-OAUTH1/access_token")
_FEDERATED = re.compile(r"/v3/OS-FEDERATION/identity_providers/[^/]+/protocols/[^/]+/auth|/v3/auth/OS-FEDERATION/.+")
_PASSWORD = re.compile(r"/v3/users/[^/]+/password")


class Auth:
    """Verify the caller's token. Requests without a token are allowed only for discovery and login."""

    def __init__(self, app, service):
        self.app, self.service = app, service
        self.admin_token = service.conf.identity.admin_token or ""

    def __call__(self, environ, start_response):
        path = environ.get("PATH_INFO", "").rstrip("/")
        token = environ.get("HTTP_X_AUTH_TOKEN")
        login = path in _LOGINS and environ["REQUEST_METHOD"] == "POST"
        # The old password authenticates a password change: with an expired one, users cannot get a token.
        change = _PASSWORD.fullmatch(path) and environ["REQUEST_METHOD"] == "POST"
        if not (path in _OPEN or login or change or _FEDERATED.fullmatch(path)):
            if not token:
                raise errors.Unauthorized()
            plain = environ["pileus.context"]
            caller = self._bootstrap(token) or self.service.verifier.check(token)
            delegation.refuse_signature(caller)
            access.check(caller, "identity", environ["REQUEST_METHOD"], environ.get("PATH_INFO", ""))
            ctx = dataclasses.replace(caller, request_id=plain.request_id,
                                      global_request_id=plain.global_request_id)
            environ["pileus.context"] = ctx
            context.activate(ctx)
        return self.app(environ, start_response)


    def _bootstrap(self, token: str) -> context.Context | None:
        """The context of requests with the configured ``admin_token``."""
        if not self.admin_token or not same_secret(token, self.admin_token):
            return None
        return context.Context(user_id="admin_token", user_name="admin_token", user_domain_id="default", roles=("admin",),
                               audit_ids=("admin_token",), token=token)


class AdminPort:
    """Mark requests that arrive at the admin port."""

    def __init__(self, app, service):
        self.app = app

    def __call__(self, environ, start_response):
        environ["pileus.admin_port"] = True
        return self.app(environ, start_response)


admin_port_factory = filter_factory(AdminPort)
auth_factory = filter_factory(Auth)
