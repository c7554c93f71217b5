"""Services of the catalog."""

from common.policy import rule
from identity.policies.base import ADMIN, CLOUD, READER

_ALL, _ONE = "/v3/services", "/v3/services/{service_id}"
RULES = [
    rule("identity:get_service", READER, "Show a service", f"GET {_ONE}", scopes=CLOUD),
    rule("identity:list_services", READER, "List services", f"GET {_ALL}", scopes=CLOUD),
    rule("identity:create_service", ADMIN, "Create a service", f"POST {_ALL}", scopes=CLOUD),
    rule("identity:update_service", ADMIN, "Change a service", f"PATCH {_ONE}", scopes=CLOUD),
    rule("identity:delete_service", ADMIN, "Delete a service and its endpoints", f"DELETE {_ONE}", scopes=CLOUD),
]
