"""Requests, route tables, and the WSGI application.

A service is a table of ``Route`` rows. 404 and 405 are produced from the table; a handler is a function ``(req, **path
parameters)`` that returns a JSON-able body, a ``Response``, or None for an empty answer.
"""

import dataclasses
import datetime
import functools
import io
import json
import time
import typing

import msgspec
import webob
import webob.exc
from routes import Mapper

from common import document, errors, metrics, schema, units, unsupported, values
from common.calls import Call

# Services by token: PasteDeploy passes only strings, so factories look up their service here.
SERVICES: dict[str, typing.Any] = {}
# A project in a path must look like an id, otherwise "/v3/volumes/detail" would be the project "volumes". A metadata key or the
# name of a file at the end of a path may contain slashes, because WSGI unquotes them.
REQUIREMENTS = {"project_id": r"[0-9a-f]{32}|[0-9a-f-]{36}", "key": ".+", "file": ".+"}


class Request(webob.Request):
    """A WebOb request with its caller (``ctx``) and service (``svc``)."""

    @property
    def ctx(self):
        return self.environ["pileus.context"]

    @property
    def svc(self):
        return self.environ["pileus.service"]

    @property
    def version(self):
        """The negotiated microversion, as (major, minor)."""
        return self.environ.get("pileus.microversion", (0, 0))

    @property
    def call(self) -> Call:
        """The caller and the service, for functions below the handlers."""
        return Call(self.svc, self.ctx, self.version)

    def base_url(self) -> str:
        """``scheme://host:port`` as seen by the client (the pipeline applies proxy headers)."""
        return self.host_url

    def json_document(self):
        """The body as JSON.

        :raises BadRequest: not valid JSON, or not storable
        :raises TooLarge: the body exceeds the maximum size
        """
        limit = self.svc.conf.max_body_bytes
        if self.content_length and self.content_length > limit:
            raise errors.TooLarge(f"The request body is larger than {limit} bytes.")
        # Read no more than was sent, or some servers would wait forever. Without a length, the body is chunked.
        raw = self.environ["wsgi.input"].read(limit + 1 if self.content_length is None else self.content_length)
        if len(raw) > limit:
            raise errors.TooLarge(f"The request body is larger than {limit} bytes.")
        self.environ["wsgi.input"] = io.BytesIO(raw)  # so that a retried request can read it again
        return document.parse(raw)

    def json_object(self) -> dict:
        """The body as a JSON object. :raises BadRequest: it is something else"""
        body = self.json_document()
        if not isinstance(body, dict):
            raise errors.BadRequest("The request body must be a JSON object.")
        return body


class Response(webob.Response):
    default_content_type = "application/json"


@dataclasses.dataclass(frozen=True)
class Route:
    """A row of a route table. ``versions`` is the inclusive range of microversions that have it."""

    method: str
    path: str
    handler: typing.Callable
    status: int = 200
    versions: tuple | None = None


def _plain(value):
    """The text of a str of another class than Python's own, which msgspec leaves to the caller."""
    if isinstance(value, str):
        return str(value)
    raise TypeError(f"{type(value).__name__} is not JSON")


_ENCODER = msgspec.json.Encoder(enc_hook=_plain)


def _encoded(body) -> bytes:
    """JSON in ASCII, since some clients guess the encoding of a response. Most responses are ASCII without any escaping."""
    found = _ENCODER.encode(body)
    return found if found.isascii() else json.dumps(body, separators=(",", ":")).encode()


def empty(status: int) -> Response:
    """A response without a body or content type: some clients parse anything that is declared as JSON."""
    response = Response(status=status)
    del response.content_type
    return response


def json_response(body, status: int = 200, headers: dict | None = None) -> Response:
    response = Response(_encoded(body), status=status, content_type="application/json", charset="UTF-8")
    response.headers.update(headers or {})
    return response


def body(json_schema: dict, *, pass_as: str = "body"):
    """Decorator of handlers: validate the JSON body and pass it as a keyword argument."""
    validate = schema.compiled(json_schema)

    def wrap(handler):
        @functools.wraps(handler)
        def inner(req, **params):
            document = req.json_object()
            validate(document)
            return handler(req, **{pass_as: document}, **params)
        inner.body_schema = json_schema  # type: ignore[attr-defined]  # for the generator of requests in tests
        return inner
    return wrap


class Application:
    """The WSGI application of a route table."""

    def __init__(self, name: str, service, routes: list[Route], *, negotiate=None,
                 missing: unsupported.Table = unsupported.EMPTY, exact_paths: bool = False):
        """
        :param missing: what OpenStack's API has and this one does not: its requests are told apart from mistyped ones
        :param exact_paths: a slash at the end of a path, except that of a version, is an empty id, which does not exist
        """
        self.name, self.service, self.negotiate, self.missing = name, service, negotiate, missing
        self.exact_paths = exact_paths
        self.mapper = Mapper(register=False, explicit=True)  # explicit: {action} is a parameter like any other
        self.mapper.redirect = False
        self.paths: dict[str, list[Route]] = {}
        for route in routes:
            rows = self.paths.setdefault(route.path, [])
            if not rows:
                self.mapper.connect(None, route.path, template=route.path, requirements=REQUIREMENTS)
            rows.append(route)

    def __call__(self, environ, start_response):
        req = Request(environ)
        environ["pileus.service"] = self.service
        started = time.monotonic()
        template, status = "unmatched", 500
        try:
            template, response = self._dispatch(req)
            status = response.status_int
        except errors.Error as error:
            status = error.status
            raise
        finally:
            template = environ.get("pileus.route", template)
            metrics.REQUESTS.labels(self.name, req.method, template, status).observe(time.monotonic() - started)
        return response(environ, start_response)

    @staticmethod
    def _unit(req, handler, parameters):
        """Call the handler as a unit; before a retry, its additions to the environ are removed."""
        given = _own(req.environ)

        def answer():
            for name in _own(req.environ):
                del req.environ[name]
            req.environ.update(given)
            return handler(req, **parameters)
        return units.run(answer)

    def _not_served(self, method: str, path: str, mistyped: errors.Error) -> errors.Error:
        part = self.missing.find(method, path)
        return mistyped if part is None else part.error()

    def _dispatch(self, req):
        path = req.path_info.rstrip("/") or "/"
        match = self.mapper.match(path)
        if match is not None and self.exact_paths and req.path_info.endswith("/") and match["template"].count("/") > 1:
            match = None
        if match is None:
            raise self._not_served(req.method, path, errors.NotFound("The resource could not be found."))
        req.environ["pileus.route"] = template = match.pop("template")
        rows = self.paths[template]
        headers = self.negotiate(req) if self.negotiate else {}
        method = "GET" if req.method == "HEAD" and not any(r.method == "HEAD" for r in rows) else req.method
        candidates = [r for r in rows if r.method == method]
        if not candidates:
            raise self._not_served(req.method, path, errors.MethodNotAllowed())
        served = [r for r in candidates
                  if r.versions is None or r.versions[0] <= req.version <= (r.versions[1] or req.version)]
        if not served:
            raise _wrong_version(req.version, candidates)
        result = self._unit(req, served[0].handler, match)
        if isinstance(result, webob.Response):
            response = result
        elif result is None:
            response = empty(204) if served[0].status == 204 else Response(status=served[0].status)
        else:
            response = json_response(result, served[0].status)
        response.headers.update(headers)
        return template, response


def _wrong_version(asked: tuple[int, int], routes: list[Route]) -> errors.NotFound:
    """The refusal of a microversion that has no such request; says which have it."""
    ranges = [" to ".join("%d.%d" % end for end in route.versions if end) + ("" if route.versions[1] else " on")
              for route in routes if route.versions]
    return errors.NotFound("API version %d.%d is not supported on this method: " % asked
                           + f"it exists from {', and from '.join(ranges)}.")


def _own(environ: dict) -> dict:
    return {k: v for k, v in environ.items() if k.startswith("pileus.")}


def int_param(req, name: str, default: int, *, low: int = 0, high: int = values.INT32) -> int:
    """An integer query parameter, or BadRequest."""
    raw = req.GET.get(name)
    if raw is None or raw == "":
        return default
    return values.integer(raw, f"query parameter {name}", low, high)


def moment(name: str, text: str) -> datetime.datetime:
    """A time from a client (ISO 8601, UTC unless it has a zone), as stored: UTC without a zone.

    :raises BadRequest: naming the parameter
    """
    return values.moment(text, f"query parameter {name}")


def flag(req, name: str) -> bool:
    """Whether a query parameter is present and not false: ``?effective``, ``?effective=1``."""
    return name in req.GET and bool_value(req.GET[name])


def bool_value(raw) -> bool:
    """The boolean value of a query parameter or option in OpenStack's spelling, or BadRequest."""
    return raw is not None and values.boolean(raw, "boolean")
