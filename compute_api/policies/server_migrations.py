"""Live migrations of servers, and what may be asked of one in progress."""

from common.policy import rule
from compute_api.policies.base import ADMIN, MANAGER

_ACTION, _LIST = "POST /servers/{server_id}/action (os-migrateLive)", "GET /servers/{server_id}/migrations"
_ONE = "/servers/{server_id}/migrations/{migration_id}"
RULES = [
    rule("os_compute_api:os-migrate-server:migrate_live", MANAGER, "Move a running server to another host", _ACTION),
    rule("os_compute_api:os-migrate-server:migrate_live:host", ADMIN, "Move a running server to a host that the request names",
         _ACTION),
    rule("os_compute_api:servers:migrations:index", MANAGER, "List the live migrations of a server that are in progress", _LIST),
    rule("os_compute_api:servers:migrations:index:host", ADMIN, "See the hosts of live migrations in progress", _LIST),
    rule("os_compute_api:servers:migrations:show", ADMIN, "Show how far a live migration is", f"GET {_ONE}"),
    rule("os_compute_api:servers:migrations:force_complete", MANAGER, "Pause a server until its live migration is complete",
         f"POST {_ONE}/action (force_complete)"),
    rule("os_compute_api:servers:migrations:delete", MANAGER, "Abort a live migration", f"DELETE {_ONE}"),
]
