"""Groups of users."""

from common.policy import rule
from identity.policies.base import ADMIN, EVERY, READER

_ALL, _ONE = "/v3/groups", "/v3/groups/{group_id}"
_MEMBER = _ONE + "/users/{user_id}"
_DOMAIN = "domain_id:%(target.group.domain_id)s"
_BOTH = f"{_DOMAIN} and domain_id:%(target.user.domain_id)s"
RULES = [
    rule("identity:get_group", f"{READER} or (role:reader and {_DOMAIN})", "Show a group", f"GET {_ONE}", scopes=EVERY),
    rule("identity:list_groups", f"{READER} or (role:reader and {_DOMAIN})",
         "List groups; a domain-scoped token lists its own domain's only",
         f"GET {_ALL}", scopes=EVERY),
    rule("identity:list_groups_for_user", f"{READER} or (role:reader and domain_id:%(target.user.domain_id)s) or rule:owner",
         "List the groups of a user", "GET /v3/users/{user_id}/groups", scopes=EVERY),
    rule("identity:create_group", f"{ADMIN} or (role:manager and {_DOMAIN})", "Create a group", f"POST {_ALL}", scopes=EVERY),
    rule("identity:update_group", f"{ADMIN} or (role:manager and {_DOMAIN})", "Change a group", f"PATCH {_ONE}", scopes=EVERY),
    rule("identity:delete_group", f"{ADMIN} or (role:manager and {_DOMAIN})", "Delete a group", f"DELETE {_ONE}", scopes=EVERY),
    rule("identity:list_users_in_group", f"{READER} or (role:reader and {_DOMAIN})", "List the members of a group",
         f"GET {_ONE}/users", scopes=EVERY),
    rule("identity:remove_user_from_group", f"{ADMIN} or (role:manager and {_BOTH})", "Remove a user from a group",
         f"DELETE {_MEMBER}", scopes=EVERY),
    rule("identity:check_user_in_group", f"{READER} or (role:reader and {_BOTH})", "Check whether a user is in a group",
         f"GET {_MEMBER}", scopes=EVERY),
    rule("identity:add_user_to_group", f"{ADMIN} or (role:manager and {_BOTH})", "Add a user to a group", f"PUT {_MEMBER}",
         scopes=EVERY),
]
