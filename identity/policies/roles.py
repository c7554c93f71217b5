"""Roles, those of single domains, and which role implies which."""

from common.policy import rule
from identity.policies.base import ADMIN, CLOUD, EVERY, READER

_ALL, _ONE = "/v3/roles", "/v3/roles/{role_id}"
_IMPLIES = "/v3/roles/{prior_role_id}/implies"
_IMPLIED = _IMPLIES + "/{implied_role_id}"
RULES = [
    rule("identity:get_role", f"{READER} or (role:manager and rule:domain_managed_target_role)", "show a role", f"GET {_ONE}",
         scopes=EVERY),
    rule("identity:list_roles", f"{READER} or (role:manager and not domain_id:None)", "list the roles of the cloud",
         f"GET {_ALL}", scopes=EVERY),
    rule("identity:create_role", ADMIN, "make a role", f"POST {_ALL}", scopes=CLOUD),
    rule("identity:update_role", ADMIN, "change a role", f"PATCH {_ONE}", scopes=CLOUD),
    rule("identity:delete_role", ADMIN, "delete a role", f"DELETE {_ONE}", scopes=CLOUD),
    rule("identity:get_domain_role", READER, "show a domain's role", f"GET {_ONE}", scopes=CLOUD),
    rule("identity:list_domain_roles", READER, "list a domain's roles", f"GET {_ALL}", scopes=CLOUD),
    rule("identity:create_domain_role", ADMIN, "make a domain's role", f"POST {_ALL}", scopes=CLOUD),
    rule("identity:update_domain_role", ADMIN, "change a domain's role", f"PATCH {_ONE}", scopes=CLOUD),
    rule("identity:delete_domain_role", ADMIN, "delete a domain's role", f"DELETE {_ONE}", scopes=CLOUD),
    rule("identity:get_implied_role", READER, "show that a role implies another", f"GET {_IMPLIED}", scopes=CLOUD),
    rule("identity:check_implied_role", READER, "see whether a role implies another", f"HEAD {_IMPLIED}", scopes=CLOUD),
    rule("identity:list_implied_roles", READER, "list the roles that a role implies", f"GET {_IMPLIES}", scopes=CLOUD),
    rule("identity:create_implied_role", ADMIN, "let a role imply another", f"PUT {_IMPLIED}", scopes=CLOUD),
    rule("identity:delete_implied_role", ADMIN, "let a role imply another no more", f"DELETE {_IMPLIED}", scopes=CLOUD),
    rule("identity:list_role_inference_rules", READER, "list which role implies which", "GET /v3/role_inferences", scopes=CLOUD),
]
