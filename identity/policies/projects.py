"""Projects and their tags."""

from common.policy import rule
from identity.policies.base import ADMIN, EVERY, READER

_ALL, _ONE = "/v3/projects", "/v3/projects/{project_id}"
_TAGS, _TAG = f"{_ONE}/tags", _ONE + "/tags/{tag}"
# A project that acts as a domain belongs to no domain, so no domain's manager can manage it.
_DOMAIN = "domain_id:%(target.project.domain_id)s and not None:%(target.project.domain_id)s"
_SEES = f"{READER} or (role:reader and {_DOMAIN}) or project_id:%(target.project.id)s"
_RULES = f"{ADMIN} or (role:manager and {_DOMAIN})"
RULES = [
    rule("identity:get_project", _SEES, "Show a project", f"GET {_ONE}", scopes=EVERY),
    rule("identity:list_projects", f"{READER} or (role:reader and domain_id:%(target.domain_id)s)",
         "List projects; a domain-scoped token lists its own domain's only", f"GET {_ALL}", scopes=EVERY),
    rule("identity:list_user_projects",
         f"{READER} or (role:reader and domain_id:%(target.user.domain_id)s) or user_id:%(target.user.id)s",
         "List the projects on which a user has a role", "GET /v3/users/{user_id}/projects", scopes=EVERY),
    rule("identity:create_project", _RULES, "Create a project", f"POST {_ALL}", scopes=EVERY),
    rule("identity:update_project", _RULES, "Change a project", f"PATCH {_ONE}", scopes=EVERY),
    rule("identity:delete_project", _RULES, "Delete a project", f"DELETE {_ONE}", scopes=EVERY),
    rule("identity:list_project_tags", _SEES, "List a project's tags", f"GET {_TAGS}", scopes=EVERY),
    rule("identity:get_project_tag", _SEES, "Check whether a project has a tag", f"GET {_TAG}", scopes=EVERY),
    rule("identity:update_project_tags", _RULES, "Replace a project's tags", f"PUT {_TAGS}", scopes=EVERY),
    rule("identity:create_project_tag", _RULES, "Add a tag to a project", f"PUT {_TAG}", scopes=EVERY),
    rule("identity:delete_project_tags", _RULES, "Remove all tags from a project", f"DELETE {_TAGS}", scopes=EVERY),
    rule("identity:delete_project_tag", _RULES, "Remove a tag from a project", f"DELETE {_TAG}", scopes=EVERY),
]
