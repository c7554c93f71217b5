"""Regions of the catalog."""

from common.policy import rule
from identity.policies.base import ADMIN, ANYONE, CLOUD, EVERY

_ALL, _ONE = "/v3/regions", "/v3/regions/{region_id}"
RULES = [
    rule("identity:get_region", ANYONE, "Show a region", f"GET {_ONE}", scopes=EVERY),
    rule("identity:list_regions", ANYONE, "List regions", f"GET {_ALL}", scopes=EVERY),
    rule("identity:create_region", ADMIN, "Create a region", f"POST {_ALL}", f"PUT {_ONE}", scopes=CLOUD),
    rule("identity:update_region", ADMIN, "Change a region", f"PATCH {_ONE}", scopes=CLOUD),
    rule("identity:delete_region", ADMIN, "Delete a region", f"DELETE {_ONE}", scopes=CLOUD),
]
