"""The stream of events that tells a page when to refresh. See ``dashboard.live``."""

import webob

from common import errors
from dashboard import session


def show(req):
    """Only an ``EventSource`` gets it: other clients would wait for its end."""
    active = session.required(req)
    if req.headers.get("Accept") != "text/event-stream":
        raise errors.NotFound("This is a stream of events for the pages of the dashboard.")
    if active.region != req.svc.conf.region:  # its services are on another bus; the page asks by itself then
        raise errors.ServiceUnavailable(part="live refresh")
    if not session.is_alive(req.svc.rest, active):
        raise errors.Unauthorized()
    streams = req.svc.streams
    stream = streams.open(active, everyone="everyone" in req.GET)
    req.environ["eventlet.minimum_write_chunk_size"] = 0  # each event is sent at once
    response = webob.Response(app_iter=streams.events(stream), content_type="text/event-stream", charset="UTF-8")
    response.headers["X-Accel-Buffering"] = "no"  # nor may a proxy wait for more
    return response
