"""REST between services: kept connections, service tokens, errors mapped back to the declared ones."""

import json
import logging
import threading
import time

import urllib3

from common import context, errors

LOG = logging.getLogger(__name__)
_TOKENS: dict[tuple, tuple[str, float]] = {}
_LOCK = threading.Lock()


def error_text(payload: bytes) -> str:
    """The message inside any OpenStack error envelope, else the start of the text."""
    try:
        found = json.loads(payload)
        while isinstance(found, dict) and found:
            found = found.get("message") or next((v for v in found.values() if v), "")
        return str(found)
    except ValueError:
        text = payload.decode("utf-8", "replace")
        start = text.rfind("</h1>")
        return (text[start + 5:].split("<br")[0] if start >= 0 else text[:300]).strip()


class RestClient:
    """Calls of one process to the other services.

    :param conf: groups ``endpoints`` and ``service_auth`` are read
    """

    def __init__(self, conf):
        self.conf = conf
        self.pool = urllib3.PoolManager(num_pools=8, maxsize=32, retries=urllib3.Retry(
            total=1, connect=1, read=0, status=0, redirect=0, backoff_factor=0.1))

    def service_token(self, *, fresh: bool = False) -> str:
        """A token of the service user, shared by the process and renewed before it ends."""
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

    def anonymous(self, method: str, service: str, path: str, *, body=None, timeout_s: float = 30):
        """Call without a token, as a login does; returns the whole response. Errors as with ``request``."""
        active = context.active()
        headers = {"X-Openstack-Request-Id": active.trace_id} if active else {}
        response = self._send(method, getattr(self.conf.endpoints, service) + path, headers, body, timeout_s, service)
        if response.status >= 400:
            raise errors.from_status(response.status, error_text(response.data))
        return response

    def request(self, method: str, service: str, path: str, *, body=None, ctx=None, headers=None,
                timeout_s: float = 30, stream: bool = False):
        """Call another service as its client.

        :param service: a name in the ``endpoints`` group
        :param ctx: with a token, act as that user; without, as the service user
        :param stream: return the open urllib3 response instead of JSON; the caller closes it
        :returns: the JSON body, or None where it is empty
        :raises errors.Error: the declared error for the status answered
        """
        url = getattr(self.conf.endpoints, service) + path
        as_user = ctx is not None and ctx.token
        active = ctx or context.active()
        send = dict(headers or {})
        if active:
            send["X-Openstack-Request-Id"] = active.trace_id
        for fresh in (False, True):
            send["X-Auth-Token"] = ctx.token if as_user else self.service_token(fresh=fresh)
            if as_user and ctx.access_rules is not None:
                send["X-Service-Token"] = self.service_token()
            response = self._send(method, url, send, body, timeout_s, service, preload_content=not stream)
            if response.status != 401 or as_user or fresh:
                break
        if response.status >= 400:
            data = response.read() if stream else response.data
            raise errors.from_status(response.status, error_text(data))
        if stream:
            return response
        return json.loads(response.data) if response.data else None
