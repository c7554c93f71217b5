"""Events that other services report about servers."""

from common import errors, wsgi
from compute_api.schemas import external_events as schemas
from compute_api.services import external_events
from compute_api.services.external_events import SINCE


@wsgi.body(schemas.BODY)
def create(req, body):
    req.svc.policy.check(req.ctx, "os_compute_api:os-server-external-events:create", {})
    for event in body["events"]:
        if req.version < SINCE.get(event["name"], req.version):
            raise errors.BadRequest(f"Invalid input for field/attribute name. Value: {event['name']}. It is an event since "
                                    "%d.%d." % SINCE[event["name"]])
    found = []
    for event in body["events"]:
        code = external_events.receive(req.call, event)
        shown = {k: v for k, v in event.items() if k != "ports"}
        found.append({**shown, "status": "completed" if code == 200 else "failed", "code": code})
    worst = 200 if all(e["code"] == 200 for e in found) else 207
    return wsgi.json_response({"events": found}, worst)
