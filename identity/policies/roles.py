"""Roles, domain-specific roles, and role implications."""

from common.policy import rule
from identity.policies.base import ADMIN, CLOUD, EVERY, READER

_ALL, _ONE = "/v3/roles", "/v3/roles/{role_id}"
_IMPLIES = "/v3/roles/{prior_role_id}/implies"
_IMPLIED = _IMPLIES + "/{implied_role_id}"
RULES = [
    rule("identity:get_role", f"{READER} or (role:manager and rule:domain_managed_target_role)", "Show a role", f"GET {_ONE}",
         scopes=EVERY),
    rule("identity:list_roles", f"{READER} or (role:manager and not domain_id:None)", "List roles, except those of domains",
         f"GET {_ALL}", scopes=EVERY),
    rule("identity:create_role", ADMIN, "Create a role", f"POST {_ALL}", scopes=CLOUD),
    rule("identity:update_role", ADMIN, "Change a role", f"PATCH {_ONE}", scopes=CLOUD),
    rule("identity:delete_role", ADMIN, "Delete a role", f"DELETE {_ONE}", scopes=CLOUD),
    rule("identity:get_domain_role", READER, "Show a domain-specific role", f"GET {_ONE}", scopes=CLOUD),
    rule("identity:list_domain_roles", READER, "List domain-specific roles", f"GET {_ALL}", scopes=CLOUD),
    rule("identity:create_domain_role", ADMIN, "Create a domain-specific role", f"POST {_ALL}", scopes=CLOUD),
    rule("identity:update_domain_role", ADMIN, "Change a domain-specific role", f"PATCH {_ONE}", scopes=CLOUD),
    rule("identity:delete_domain_role", ADMIN, "Delete a domain-specific role", f"DELETE {_ONE}", scopes=CLOUD),
    rule("identity:get_implied_role", READER, "Show that one role implies another", f"GET {_IMPLIED}", scopes=CLOUD),
    rule("identity:check_implied_role", READER, "Check whether one role implies another", f"HEAD {_IMPLIED}", scopes=CLOUD),
    rule("identity:list_implied_roles", READER, "List the roles that a role implies", f"GET {_IMPLIES}", scopes=CLOUD),
    rule("identity:create_implied_role", ADMIN, "Make one role imply another", f"PUT {_IMPLIED}", scopes=CLOUD),
    rule("identity:delete_implied_role", ADMIN, "Stop one role from implying another", f"DELETE {_IMPLIED}", scopes=CLOUD),
    rule("identity:list_role_inference_rules", READER, "List all role implications", "GET /v3/role_inferences", scopes=CLOUD),
]
