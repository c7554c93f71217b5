"""Actions on a server and their events."""

from common.policy import rule
from compute_api.policies.base import ADMIN, READER

_ONE = "GET /servers/{server_id}/os-instance-actions/{request_id}"

RULES = [
    rule("os_compute_api:os-instance-actions:list", READER, "List a server's actions",
         "GET /servers/{server_id}/os-instance-actions"),
    rule("os_compute_api:os-instance-actions:show", READER, "Show an action on a server", _ONE),
    rule("os_compute_api:os-instance-actions:events", ADMIN,
         "See the host and traceback of an action's events; before microversion 2.51, see the events at all", _ONE),
    rule("os_compute_api:os-instance-actions:events:details", ADMIN, "See the details of an action's events", _ONE),
]
