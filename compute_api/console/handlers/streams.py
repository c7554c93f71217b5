"""The WebSocket of a console."""

import functools
import logging
import re

from common import errors, websocket, wsgi
from compute_api.console import relay

LOG = logging.getLogger(__name__)
_PROTOCOLS = ("binary",)
_DEFAULT_PORTS = {"http": 80, "https": 443}


def connect(req):
    """Open the console of a token. This uses up the token, even if the console cannot be opened."""
    _check_origin(req)
    answer = websocket.handshake(req.headers, _PROTOCOLS)
    if answer.status_code != 101 or req.method != "GET":  # the route is for HEAD too
        raise errors.BadRequest("This URL is for WebSocket connections.")
    console = relay.redeem(req.svc, req.GET.get("token", ""))
    if console is None:
        LOG.info("a console was refused: its token is unknown, used, or expired")
        return wsgi.empty(403)
    from common import protocol  # imports eventlet, which only serving processes need
    return protocol.Takeover(functools.partial(relay.serve, req.svc, req.ctx, console, answer.serialize()))


def _check_origin(req) -> None:
    """Refuse pages of other web sites. Clients that are not browsers send no Origin.

    :raises Forbidden: the origin is neither this proxy nor allowed
    """
    origin = req.headers.get("Origin")
    if origin is None or origin in req.svc.conf.console.allowed_origins:
        return
    # Compared without the scheme, which is https if a TLS proxy is in front of this one.
    scheme, _, place = origin.partition("://")
    if not place or _with_port(scheme, place) != _with_port(scheme, req.headers.get("Host", "")):
        raise errors.Forbidden("Pages of other web sites may not open consoles here.")


def _with_port(scheme: str, place: str) -> str:
    return place if re.search(r":\d+\Z", place) else f"{place}:{_DEFAULT_PORTS.get(scheme)}"
