"""The filters of the API pipelines; etc/*-paste.ini gives their order and the reasons for it."""

import html
import json
import logging
import time

import webob
from oslo_messaging import exceptions as bus_errors

from common import context, db_errors, errors, request_syntax
from common.wsgi import SERVICES

LOG = logging.getLogger(__name__)
ACCESS = logging.getLogger("access")
# Every service polls this twice a second; logging it would drown other requests.
POLLED = "/v3/OS-REVOKE/events"
REQUEST_ID = "X-Openstack-Request-Id"


def filter_factory(cls):
    """The PasteDeploy factory of a middleware class ``cls(app, service, **options)``."""
    def factory(global_conf, **local):
        return lambda app: cls(app, SERVICES[global_conf["pileus_service"]], **local)
    return factory


class RequestId:
    """Gives every request an id, keeps the caller's global id, and returns the id in the response."""

    def __init__(self, app, service):
        self.app = app

    def __call__(self, environ, start_response):
        given = environ.get("HTTP_X_OPENSTACK_REQUEST_ID", "")
        valid = given.startswith("req-") and len(given) == 40 and all(c in "0123456789abcdef-" for c in given[4:])
        ctx = context.Context(global_request_id=given if valid else None)
        environ["pileus.context"] = ctx
        context.activate(ctx)

        def start(status, headers, exc_info=None):
            headers = [h for h in headers if h[0].lower() not in ("x-openstack-request-id",)]
            headers += [(REQUEST_ID, ctx.request_id), ("X-Compute-Request-Id", ctx.request_id)]
            return start_response(status, headers, exc_info)
        try:
            return self.app(environ, start)
        finally:
            context.activate(None)


def shown_path(environ) -> str:
    """The path as logged. Paths that contain a token, of identity v2.0 or of a console, are replaced by their route."""
    path = environ.get("PATH_INFO", "")
    secret = next((part for part in ("/tokens/", "/os-console-auth-tokens/") if part in path), None)
    return environ.get("pileus.route", secret) if secret else path


class Access:
    """Logs one line per request: caller, request, status and duration to the first byte.

    Query strings are omitted, because clients put secrets into them.
    """

    def __init__(self, app, service):
        self.app = app

    def __call__(self, environ, start_response):
        began = time.monotonic()

        def start(status, headers, exc_info=None):
            code = int(status[:3])
            level = logging.DEBUG if code < 400 and environ.get("pileus.route") == POLLED else logging.INFO
            if ACCESS.isEnabledFor(level):
                ctx, method, path = environ["pileus.context"], environ["REQUEST_METHOD"], shown_path(environ)
                scope = {"domain_id": ctx.domain_id} if ctx.domain_id else {"system": True} if ctx.system else {}
                ACCESS.log(level, "%s %s: %d", method, path, code, extra={"fields": {
                    "method": method, "path": path, "route": environ.get("pileus.route"), "status": code,
                    "duration_ms": round((time.monotonic() - began) * 1000, 1), "client": environ.get("REMOTE_ADDR"),
                    "user_id": ctx.user_id, "roles": ctx.roles, **scope}})
            return start_response(status, headers, exc_info)
        return self.app(environ, start)


class Syntax:
    """Refuses malformed requests before anything else reads them. The enclosing Faults renders the error."""

    def __init__(self, app, service):
        self.app = app

    def __call__(self, environ, start_response):
        try:
            request_syntax.check(environ)
        except errors.BadRequest:
            environ.update(PATH_INFO="/", QUERY_STRING="")  # so that rendering the error does not read them again
            raise
        environ["wsgi.input"] = request_syntax.Body(environ["wsgi.input"])
        return self.app(environ, start_response)


class Health:
    """Answers /healthcheck first: load balancers poll it often, without a token."""

    def __init__(self, app, service):
        self.app, self.service = app, service

    def __call__(self, environ, start_response):
        if environ.get("PATH_INFO") == "/healthcheck":
            problems = self.service.health()
            status = "503 Service Unavailable" if problems else "200 OK"
            payload = json.dumps({"status": "down" if problems else "ok", "reasons": problems}).encode()
            start_response(status, [("Content-Type", "application/json"), ("Content-Length", str(len(payload)))])
            return [payload]
        return self.app(environ, start_response)


_TITLES = {400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed",
           406: "Not Acceptable", 409: "Conflict", 410: "Gone", 412: "Precondition Failed", 413: "Request Entity Too Large",
           415: "Unsupported Media Type", 416: "Requested Range Not Satisfiable", 500: "Internal Server Error",
           501: "Not Implemented", 503: "Service Unavailable"}
# Names of faults in the compute and volume families, from their published API references.
_FAULTS = {400: "badRequest", 401: "unauthorized", 403: "forbidden", 404: "itemNotFound", 405: "badMethod",
           406: "notAcceptable", 409: "conflictingRequest", 413: "overLimit", 415: "badMediaType",
           501: "notImplemented", 503: "serviceUnavailable"}


def _compute(error, text, environ):
    return {_FAULTS.get(error.status, "computeFault"): {"code": error.status, "message": text}}


def _identity(error, text, environ):
    return {"error": {"code": error.status, "message": text, "title": _TITLES.get(error.status, "Error")}}


def _network(error, text, environ):
    return {"NeutronError": {"type": error.kind, "message": text, "detail": ""}}


def _image(error, text, environ):
    title = f"{error.status} {_TITLES.get(error.status, 'Error')}"
    return (f"<html>\n <head>\n  <title>{title}</title>\n </head>\n <body>\n  <h1>{title}</h1>\n"
            f"  {html.escape(text)}<br /><br />\n\n\n </body>\n</html>")


def _placement(error, text, environ):
    """https://specs.openstack.org/openstack/api-sig/guidelines/errors.html; there are codes since 1.23."""
    version = environ.get("pileus.microversion")
    shown = {"status": error.status, "title": _TITLES.get(error.status, "Error"), "detail": f"{text}\n\n   ",
             "request_id": environ["pileus.context"].request_id}
    if version and version >= (1, 23):
        shown["code"] = error.kind if error.kind.startswith("placement.") else "placement.undefined_code"
    return {"errors": [{**shown, **(error.arguments if error.status == 406 else {})}]}


ENVELOPES = {"compute": _compute, "volume": _compute, "placement": _placement, "identity": _identity, "network": _network,
             "image": _image}


def translate(error: Exception) -> errors.Error:
    """The declared error for an exception; undeclared ones become a plain 500."""
    if isinstance(error, errors.Error):
        return error
    away = db_errors.translate(error)
    if away:
        return away
    if isinstance(error, (bus_errors.MessagingTimeout, bus_errors.MessageDeliveryFailure)):
        return errors.ServiceUnavailable(part="the message bus", internal=str(error))
    if isinstance(error, webob.request.DisconnectionError):
        return errors.BadRequest("The request body could not be read completely.", internal=str(error))
    if isinstance(error, UnicodeDecodeError):
        return errors.BadRequest("The request is not valid UTF-8.")
    return errors.Error("An unexpected error prevented the server from fulfilling your request. "
                        "The operator finds its cause in the log under this request's id.",
                        internal=f"{type(error).__name__}: {error}")


class Faults:
    """Renders errors in the API's format, and logs the parts that clients may not see."""

    def __init__(self, app, service, family):
        self.app, self.service, self.envelope = app, service, ENVELOPES[family]

    def __call__(self, environ, start_response):
        try:
            return self.app(environ, start_response)
        except Exception as caught:  # the outermost boundary of a request
            error = translate(caught)
            if error.status >= 500:
                LOG.error("%s %s failed: %s", environ["REQUEST_METHOD"], shown_path(environ),
                          error.internal or error, exc_info=error is not caught and error.status == 500)
        ctx = environ.get("pileus.context")
        text = error.public + (f" ({ctx.request_id})" if error.status == 500 and ctx else "")
        content = self.envelope(error, text, environ)
        if isinstance(content, str):
            response = webob.Response(content, status=error.status, content_type="text/html", charset="UTF-8")
        else:
            response = webob.Response(json.dumps(content), status=error.status, content_type="application/json",
                                      charset="UTF-8")
        if error.status == 401:
            response.headers["WWW-Authenticate"] = f"Keystone uri=\"{self.service.conf.endpoints.identity}\""
        if error.status in (413, 503):
            response.headers["Retry-After"] = "1"
        response.headers.update(environ.get("pileus.version_headers", {}))
        return response(environ, start_response)


request_id_factory = filter_factory(RequestId)
syntax_factory = filter_factory(Syntax)
access_factory = filter_factory(Access)
health_factory = filter_factory(Health)
faults_factory = filter_factory(Faults)
