"""Services of the catalog."""

from common.policy import rule
from identity.policies.base import ADMIN, CLOUD, READER

_ALL, _ONE = "/v3/services", "/v3/services/{service_id}"
RULES = [
    rule("identity:get_service", READER, "show a service", f"GET {_ONE}", scopes=CLOUD),
    rule("identity:list_services", READER, "list services", f"GET {_ALL}", scopes=CLOUD),
    rule("identity:create_service", ADMIN, "make a service", f"POST {_ALL}", scopes=CLOUD),
    rule("identity:update_service", ADMIN, "change a service", f"PATCH {_ONE}", scopes=CLOUD),
    rule("identity:delete_service", ADMIN, "delete a service and its endpoints", f"DELETE {_ONE}", scopes=CLOUD),
]
