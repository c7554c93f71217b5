"""Server groups."""

from common.policy import rule
from compute_api.policies.base import ADMIN, MEMBER, READER

_ONE = "/os-server-groups/{server_group_id}"

RULES = [
    rule("os_compute_api:os-server-groups:index", READER, "List the server groups of one's project", "GET /os-server-groups"),
    rule("os_compute_api:os-server-groups:index:all_projects", ADMIN, "List the server groups of all projects",
         "GET /os-server-groups"),
    rule("os_compute_api:os-server-groups:create", MEMBER, "Create a server group", "POST /os-server-groups"),
    rule("os_compute_api:os-server-groups:show", READER, "Show a server group", f"GET {_ONE}"),
    rule("os_compute_api:os-server-groups:delete", MEMBER, "Delete a server group", f"DELETE {_ONE}"),
]
