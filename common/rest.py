"""REST between services: persistent connections, service tokens, and errors mapped back to the declared ones.

Values from clients enter URLs only through ``path``, and ``RestClient`` accepts no other paths.
"""

import html
import json
import logging
import re
import threading
import time
import typing
import urllib.parse

import urllib3

from common import context, errors, units

LOG = logging.getLogger(__name__)
_TOKENS: dict[tuple, tuple[str, float]] = {}
_LOCK = threading.Lock()

_PLACE = re.compile(r"\{(id|name|)\}")
# UUIDs with and without hyphens, as the services make them.
_ID = re.compile(r"[0-9a-fA-F]{32}|[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


class Path(str):
    """A path and query of another service, built by ``path``."""


def path(template: str, *segments: str, query: typing.Mapping[str, typing.Any] | None = None) -> Path:
    """A path whose variable parts are validated and quoted.

    :param template: with ``{id}`` for a UUID, ``{name}`` or ``{}`` for another segment: ``/v2.0/ports/{id}``
    :param segments: one for each of them
    :param query: parameters; lists are repeated
    :raises NotFound: an invalid segment, which cannot name anything
    """
    waiting = iter(segments)
    kinds = _PLACE.findall(template)
    if len(kinds) != len(segments):
        raise TypeError(f"{template} takes {len(kinds)} segments, not {len(segments)}")
    made = _PLACE.sub(lambda place: _segment(place[1], next(waiting)), template)
    try:
        return Path(made + ("?" + urllib.parse.urlencode(query, doseq=True) if query else ""))
    except UnicodeEncodeError:
        raise errors.NotFound("The resource could not be found.") from None


def _segment(kind: str, text: str) -> str:
    if kind == "id":
        valid = isinstance(text, str) and _ID.fullmatch(text) is not None
    else:
        # WSGI would unquote a slash, and dots would be resolved.
        valid = isinstance(text, str) and 0 < len(text) < 256 and text.isprintable() and "/" not in text and (
            text not in (".", ".."))
    if not valid:
        raise errors.NotFound("The resource could not be found.")
    return urllib.parse.quote(text, safe="")


def last_segment(reference: str) -> str:
    """The id at the end of a possible URL: OpenStack accepts both as references to images and flavors."""
    return reference.rstrip("/").rsplit("/", 1)[-1]


def error_text(payload: bytes) -> str:
    """The message in an OpenStack error envelope, else the start of the text."""
    try:
        found = json.loads(payload)
        while isinstance(found, dict) and found:
            found = found.get("message") or next((v for v in found.values() if v), "")
        return str(found)
    except ValueError:
        text = payload.decode("utf-8", "replace")
        start = text.rfind("</h1>")
        return html.unescape(text[start + 5:].split("<br")[0]).strip() if start >= 0 else text[:300].strip()


class RestClient:
    """Calls of one process to the other services.

    :param conf: groups ``endpoints`` and ``service_auth`` are read
    """

    def __init__(self, conf):
        self.conf = conf
        self.pool = urllib3.PoolManager(num_pools=8, maxsize=32, retries=urllib3.Retry(
            total=1, connect=1, read=0, status=0, redirect=0, backoff_factor=0.1))

    def service_token(self, *, fresh: bool = False) -> str:
        """A token of the service user, shared by the process and renewed before it expires."""
        auth = self.conf.service_auth
        key = (auth.auth_url, auth.username)
        with _LOCK:
            cached = _TOKENS.get(key)
            if cached and not fresh and cached[1] > time.time() + 60:
                return cached[0]
            scope = {"project": {"name": auth.project, "domain": {"id": "default"}}}
            user = {"name": auth.username, "password": auth.password, "domain": {"id": "default"}}
            body = {"auth": {"identity": {"methods": ["password"], "password": {"user": user}}, "scope": scope}}
            response = self._send("POST", auth.auth_url + "/auth/tokens", {}, body, 10, "identity")
            if response.status != 201:
                raise errors.ServiceUnavailable(part="the identity service",
                                                internal=f"service login: {error_text(response.data)}")
            token = response.headers["X-Subject-Token"]
            _TOKENS[key] = (token, time.time() + 1800)
            return token

    def _send(self, method, url, headers, body, timeout_s, service, **more):
        data = body
        if isinstance(body, (dict, list)):
            data, headers = json.dumps(body).encode(), {"Content-Type": "application/json", **headers}
        try:
            return self.pool.request(method, url, headers=headers, body=data,
                                     timeout=urllib3.Timeout(connect=2, read=timeout_s), **more)
        except urllib3.exceptions.HTTPError as error:
            raise errors.ServiceUnavailable(part=f"the {service} service", internal=str(error)) from error

    def _url(self, service: str, where: Path) -> str:
        if not isinstance(where, Path):
            raise TypeError("the path of a request to another service is made by common.rest.path")
        return getattr(self.conf.endpoints, service) + where

    def anonymous(self, method: str, service: str, where: Path, *, body=None, timeout_s: float = 30):
        """Call without a token, as for a login; returns the whole response. Raises errors as ``request``."""
        if method not in ("GET", "HEAD"):
            units.mark_visible()
        active = context.active()
        headers = {"X-Openstack-Request-Id": active.trace_id} if active else {}
        response = self._send(method, self._url(service, where), headers, body, timeout_s, service)
        if response.status >= 400:
            raise errors.from_status(response.status, error_text(response.data))
        return response

    def request(self, method: str, service: str, where: Path, *, body=None, ctx=None, headers=None,
                timeout_s: float = 30, stream: bool = False):
        """Call another service as its client.

        :param service: a name in the ``endpoints`` group
        :param where: made by ``path``
        :param ctx: with a token, act as that user; without, as the service user
        :param stream: return the open urllib3 response instead of JSON; the caller closes it
        :returns: the JSON body, or None where it is empty
        :raises errors.Error: the declared error for the status answered
        """
        if method not in ("GET", "HEAD"):
            units.mark_visible()
        url = self._url(service, where)
        as_user = ctx is not None and ctx.token
        active = ctx or context.active()
        send = dict(headers or {})
        if active:
            send["X-Openstack-Request-Id"] = active.trace_id
        for fresh in (False, True):
            send["X-Auth-Token"] = ctx.token if as_user else self.service_token(fresh=fresh)
            if as_user and ctx.access_rules is not None:
                send["X-Service-Token"] = self.service_token(fresh=fresh)
            if fresh and hasattr(body, "seek"):  # a file: it was sent in vain
                body.seek(0)
            response = self._send(method, url, send, body, timeout_s, service, preload_content=not stream)
            if response.status != 401 or fresh or as_user and "X-Service-Token" not in send:
                break
        if response.status >= 400:
            data = response.read() if stream else response.data
            raise errors.from_status(response.status, error_text(data))
        if stream:
            return response
        return json.loads(response.data) if response.data else None
