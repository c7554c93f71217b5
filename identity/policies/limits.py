"""Registered limits, and the limits of projects and domains."""

from common.policy import rule
from identity.policies.base import ADMIN, ANYONE, CLOUD, EVERY, READER

_REGISTERED, _ONE_REGISTERED = "/v3/registered_limits", "/v3/registered_limits/{registered_limit_id}"
_ALL, _ONE = "/v3/limits", "/v3/limits/{limit_id}"
RULES = [
    rule("identity:get_registered_limit", ANYONE, "Show a registered limit", f"GET {_ONE_REGISTERED}",
         scopes=EVERY),
    rule("identity:list_registered_limits", ANYONE, "List registered limits", f"GET {_REGISTERED}",
         scopes=EVERY),
    rule("identity:create_registered_limits", ADMIN, "Create registered limits", f"POST {_REGISTERED}", scopes=CLOUD),
    rule("identity:update_registered_limit", ADMIN, "Change a registered limit", f"PATCH {_ONE_REGISTERED}", scopes=CLOUD),
    rule("identity:delete_registered_limit", ADMIN, "Delete a registered limit", f"DELETE {_ONE_REGISTERED}", scopes=CLOUD),
    rule("identity:get_limit_model", ANYONE, "Show how the limits of a project relate to those of its parent",
         f"GET {_ALL}/model", scopes=EVERY),
    rule("identity:get_limit",
         f"{READER} or domain_id:%(target.limit.domain.id)s or domain_id:%(target.limit.project.domain_id)s or "
         "(project_id:%(target.limit.project_id)s and not None:%(target.limit.project_id)s)",
         "Show a limit of a project or a domain", f"GET {_ONE}", scopes=EVERY),
    rule("identity:list_limits", ANYONE,
         "List limits: those of one's own project or domain, or all of them for services and administrators",
         f"GET {_ALL}", scopes=EVERY),
    rule("identity:create_limits", ADMIN, "Create limits for projects and domains", f"POST {_ALL}", scopes=CLOUD),
    rule("identity:update_limit", ADMIN, "Change a limit", f"PATCH {_ONE}", scopes=CLOUD),
    rule("identity:delete_limit", ADMIN, "Delete a limit", f"DELETE {_ONE}", scopes=CLOUD),
]
