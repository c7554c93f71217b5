"""Access rules of application credentials."""

from common.policy import rule
from identity.policies.base import CLOUD, SYSTEM_READER

_OF_USER = "/v3/users/{user_id}/access_rules"
_OWNER = "user_id:%(target.user.id)s"
RULES = [
    rule("identity:list_access_rules", f"{SYSTEM_READER} or {_OWNER}", "List a user's access rules", f"GET {_OF_USER}",
         scopes=CLOUD),
    rule("identity:get_access_rule", f"{SYSTEM_READER} or {_OWNER}", "Show an access rule", f"GET {_OF_USER}/{{access_rule_id}}",
         scopes=CLOUD),
    rule("identity:delete_access_rule", f"(role:admin and system_scope:all) or {_OWNER}", "Delete an access rule",
         f"DELETE {_OF_USER}/{{access_rule_id}}", scopes=CLOUD),
]
