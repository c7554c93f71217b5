"""Responses of the placement API."""

import datetime

from common import db, errors, wsgi

_KIND = "application/json"


def answer(req, body: dict | None, modified: datetime.datetime | None = None) -> wsgi.Response:
    """A response with the headers that all have since 1.15; without a body it is 204.

    :param modified: when what is shown changed last; None: it is asked for as it is now
    :raises NotAcceptable: the client wants something else than JSON
    """
    if body is not None and req.accept and not req.accept.acceptable_offers([_KIND]):
        raise errors.NotAcceptable(f"Only {_KIND} is provided")
    response = wsgi.empty(204) if body is None else wsgi.json_response(body)
    if req.version >= (1, 15):
        response.last_modified, response.cache_control = modified or db.now(), "no-cache"
    return response
