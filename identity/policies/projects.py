"""Projects and their tags."""

from common.policy import rule
from identity.policies.base import ADMIN, EVERY, READER

_ALL, _ONE = "/v3/projects", "/v3/projects/{project_id}"
_TAGS, _TAG = f"{_ONE}/tags", _ONE + "/tags/{tag}"
# A project that acts as a domain is in none, and no domain's to rule.
_DOMAIN = "domain_id:%(target.project.domain_id)s and not None:%(target.project.domain_id)s"
_SEES = f"{READER} or (role:reader and {_DOMAIN}) or project_id:%(target.project.id)s"
_RULES = f"{ADMIN} or (role:manager and {_DOMAIN})"
RULES = [
    rule("identity:get_project", _SEES, "show a project", f"GET {_ONE}", scopes=EVERY),
    rule("identity:list_projects", f"{READER} or (role:reader and domain_id:%(target.domain_id)s)",
         "list projects; with a token for a domain, its own", f"GET {_ALL}", scopes=EVERY),
    rule("identity:list_user_projects",
         f"{READER} or (role:reader and domain_id:%(target.user.domain_id)s) or user_id:%(target.user.id)s",
         "list the projects on which a user has a role", "GET /v3/users/{user_id}/projects", scopes=EVERY),
    rule("identity:create_project", _RULES, "make a project", f"POST {_ALL}", scopes=EVERY),
    rule("identity:update_project", _RULES, "change a project", f"PATCH {_ONE}", scopes=EVERY),
    rule("identity:delete_project", _RULES, "delete a project", f"DELETE {_ONE}", scopes=EVERY),
    rule("identity:list_project_tags", _SEES, "list a project's tags", f"GET {_TAGS}", scopes=EVERY),
    rule("identity:get_project_tag", _SEES, "see whether a project has a tag", f"GET {_TAG}", scopes=EVERY),
    rule("identity:update_project_tags", _RULES, "replace a project's tags", f"PUT {_TAGS}", scopes=EVERY),
    rule("identity:create_project_tag", _RULES, "add a tag to a project", f"PUT {_TAG}", scopes=EVERY),
    rule("identity:delete_project_tags", _RULES, "take all tags from a project", f"DELETE {_TAGS}", scopes=EVERY),
    rule("identity:delete_project_tag", _RULES, "take a tag from a project", f"DELETE {_TAG}", scopes=EVERY),
]
