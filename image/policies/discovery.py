"""The rule of discovery."""

from image.policies.base import ADMIN, SERVICE, rule

RULES = [rule("stores_info_detail", f"{ADMIN} or {SERVICE}", "See the type of each store and where it keeps its data",
              "GET /v2/info/stores/detail")]
