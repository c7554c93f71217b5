"""Host aggregates."""

from common.policy import rule
from compute_api.policies.base import ADMIN

_ALL, _ONE = "/os-aggregates", "/os-aggregates/{aggregate_id}"

RULES = [
    rule("os_compute_api:os-aggregates:index", ADMIN, "List host aggregates", f"GET {_ALL}"),
    rule("os_compute_api:os-aggregates:create", ADMIN, "Create a host aggregate", f"POST {_ALL}"),
    rule("os_compute_api:os-aggregates:show", ADMIN, "Show a host aggregate", f"GET {_ONE}"),
    rule("os_compute_api:os-aggregates:update", ADMIN, "Change a host aggregate's name or availability zone", f"PUT {_ONE}"),
    rule("os_compute_api:os-aggregates:delete", ADMIN, "Delete a host aggregate", f"DELETE {_ONE}"),
    rule("os_compute_api:os-aggregates:add_host", ADMIN, "Add a host to an aggregate", f"POST {_ONE}/action (add_host)"),
    rule("os_compute_api:os-aggregates:remove_host", ADMIN, "Remove a host from an aggregate",
         f"POST {_ONE}/action (remove_host)"),
    rule("os_compute_api:os-aggregates:set_metadata", ADMIN, "Set metadata of a host aggregate",
         f"POST {_ONE}/action (set_metadata)"),
    rule("compute:aggregates:images", ADMIN, "Have the hosts of an aggregate fetch images before servers need them",
         f"POST {_ONE}/images"),
]
