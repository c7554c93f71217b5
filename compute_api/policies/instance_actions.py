"""What happened to a server."""

from common.policy import rule
from compute_api.policies.base import ADMIN, READER

_ONE = "GET /servers/{server_id}/os-instance-actions/{request_id}"

RULES = [
    rule("os_compute_api:os-instance-actions:list", READER, "List what was done to a server",
         "GET /servers/{server_id}/os-instance-actions"),
    rule("os_compute_api:os-instance-actions:show", READER, "Show what a request did to a server", _ONE),
    rule("os_compute_api:os-instance-actions:events", ADMIN,
         "See the events of an action with their host and traceback; before microversion 2.51, see them at all", _ONE),
    rule("os_compute_api:os-instance-actions:events:details", ADMIN, "See the details of an action's events", _ONE),
]
