"""Migrations, resizes and evacuations of servers."""

from common.policy import rule
from compute_api.policies.base import ADMIN, MANAGER, MEMBER

_ACTION, _LIST = "POST /servers/{server_id}/action", "GET /os-migrations"
RULES = [
    rule("os_compute_api:os-migrate-server:migrate", MANAGER, "Move a server to another host", f"{_ACTION} (migrate)"),
    rule("os_compute_api:os-migrate-server:migrate:host", ADMIN, "Move a server to a host that the request names",
         f"{_ACTION} (migrate)"),
    rule("os_compute_api:servers:resize", MEMBER, "Give a server another flavor", f"{_ACTION} (resize)"),
    rule("os_compute_api:servers:confirm_resize", MEMBER, "Confirm that a server was resized or moved",
         f"{_ACTION} (confirmResize)"),
    rule("os_compute_api:servers:revert_resize", MEMBER, "Take a resize or a move of a server back", f"{_ACTION} (revertResize)"),
    rule("os_compute_api:os-evacuate", ADMIN, "Rebuild a server of a host that is down on another host", f"{_ACTION} (evacuate)"),
    rule("os_compute_api:os-migrations:index", MANAGER, "List the migrations of a project's servers", _LIST),
    rule("os_compute_api:os-migrations:index:all_projects", ADMIN, "List the migrations of servers of every project", _LIST),
    rule("os_compute_api:os-migrations:index:host", ADMIN, "See the hosts of migrations", _LIST),
]
