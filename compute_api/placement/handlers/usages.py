"""What a project uses of all hosts together."""

import re

from common import errors
from compute_api.placement import provider
from compute_api.placement.handlers import queries
from compute_api.placement.handlers.allocations import CONSUMER_TYPE
from compute_api.placement.handlers.answers import answer
from compute_api.placement.services import allocations

_LONGEST = 255


def index(req):
    project, user, kind = req.GET.get("project_id"), req.GET.get("user_id"), req.GET.get("consumer_type")
    allocations.check_usages(req.call, project)
    queries.check(req, {"project_id": 9, "user_id": 9, "consumer_type": 38})
    if project is None:
        raise errors.BadRequest("Invalid query string parameters: 'project_id' is a required property")
    for given in (project, user, kind):
        if given is not None and not 1 <= len(given) <= _LONGEST:
            raise errors.BadRequest(f"Invalid query string parameters: a value must have 1 to {_LONGEST} characters")
    if kind is not None and not re.fullmatch("[A-Z0-9_]+|all|unknown", kind):
        raise errors.BadRequest(f"Invalid query string parameters: {kind!r} does not match '^[A-Z0-9_]+$|^all|^unknown$'")
    found = allocations.usages(req.call, project, user)
    used = provider.amounts(found)
    if req.version < (1, 38):
        return answer(req, {"usages": used})
    name = "all" if kind == "all" else CONSUMER_TYPE
    shown = used and kind in (None, name)
    return answer(req, {"usages": {name: {**used, "consumer_count": found["servers"]}} if shown else {}})
