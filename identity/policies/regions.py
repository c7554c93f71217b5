"""Regions of the catalog."""

from common.policy import rule
from identity.policies.base import ADMIN, ANYONE, CLOUD, EVERY

_ALL, _ONE = "/v3/regions", "/v3/regions/{region_id}"
RULES = [
    rule("identity:get_region", ANYONE, "show a region", f"GET {_ONE}", scopes=EVERY),
    rule("identity:list_regions", ANYONE, "list regions", f"GET {_ALL}", scopes=EVERY),
    rule("identity:create_region", ADMIN, "make a region", f"POST {_ALL}", f"PUT {_ONE}", scopes=CLOUD),
    rule("identity:update_region", ADMIN, "change a region", f"PATCH {_ONE}", scopes=CLOUD),
    rule("identity:delete_region", ADMIN, "delete a region", f"DELETE {_ONE}", scopes=CLOUD),
]
