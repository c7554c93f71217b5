"""Users."""

from common.policy import rule
from identity.policies.base import ADMIN, EVERY, READER

_ALL, _ONE = "/v3/users", "/v3/users/{user_id}"
_DOMAIN = "token.domain.id:%(target.user.domain_id)s"
RULES = [
    rule("identity:get_user", f"{READER} or (role:reader and {_DOMAIN}) or user_id:%(target.user.id)s", "Show a user",
         f"GET {_ONE}", scopes=EVERY),
    rule("identity:list_users", f"{READER} or (role:reader and domain_id:%(target.domain_id)s)",
         "List users; a domain-scoped token lists its own domain's only", f"GET {_ALL}", scopes=EVERY),
    rule("identity:create_user", f"{ADMIN} or (role:manager and {_DOMAIN})", "Create a user", f"POST {_ALL}", scopes=EVERY),
    rule("identity:update_user", f"{ADMIN} or (role:manager and {_DOMAIN})", "Change a user", f"PATCH {_ONE}", scopes=EVERY),
    rule("identity:delete_user", f"{ADMIN} or (role:manager and {_DOMAIN})", "Delete a user", f"DELETE {_ONE}", scopes=EVERY),
    rule("identity:revoke_tokens_for_user", "rule:admin_or_owner", "Revoke all tokens of a user", f"DELETE {_ONE}/tokens",
         scopes=EVERY),
]
