"""Endpoints of the catalog."""

from common.policy import rule
from identity.policies.base import ADMIN, CLOUD, READER

_ALL, _ONE = "/v3/endpoints", "/v3/endpoints/{endpoint_id}"
RULES = [
    rule("identity:get_endpoint", READER, "Show an endpoint", f"GET {_ONE}", scopes=CLOUD),
    rule("identity:list_endpoints", READER, "List endpoints", f"GET {_ALL}", scopes=CLOUD),
    rule("identity:create_endpoint", ADMIN, "Create an endpoint", f"POST {_ALL}", scopes=CLOUD),
    rule("identity:update_endpoint", ADMIN, "Change an endpoint", f"PATCH {_ONE}", scopes=CLOUD),
    rule("identity:delete_endpoint", ADMIN, "Delete an endpoint", f"DELETE {_ONE}", scopes=CLOUD),
]
