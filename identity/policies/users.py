"""Users."""

from common.policy import rule
from identity.policies.base import ADMIN, EVERY, READER

_ALL, _ONE = "/v3/users", "/v3/users/{user_id}"
_DOMAIN = "token.domain.id:%(target.user.domain_id)s"
RULES = [
    rule("identity:get_user", f"{READER} or (role:reader and {_DOMAIN}) or user_id:%(target.user.id)s", "show a user",
         f"GET {_ONE}", scopes=EVERY),
    rule("identity:list_users", f"{READER} or (role:reader and domain_id:%(target.domain_id)s)",
         "list users; with a token for a domain, its own", f"GET {_ALL}", scopes=EVERY),
    rule("identity:create_user", f"{ADMIN} or (role:manager and {_DOMAIN})", "make a user", f"POST {_ALL}", scopes=EVERY),
    rule("identity:update_user", f"{ADMIN} or (role:manager and {_DOMAIN})", "change a user", f"PATCH {_ONE}", scopes=EVERY),
    rule("identity:delete_user", f"{ADMIN} or (role:manager and {_DOMAIN})", "delete a user", f"DELETE {_ONE}", scopes=EVERY),
    rule("identity:revoke_tokens_for_user", "rule:admin_or_owner", "end all tokens of a user", f"DELETE {_ONE}/tokens",
         scopes=EVERY),
]
