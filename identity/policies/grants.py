"""Role assignments on projects, on domains and on the system."""

from common.policy import rule
from identity.policies.base import ADMIN, CLOUD, EVERY, READER


def _within(role: str) -> str:
    """The check for a role on the domain of both the holder and the target of a grant."""
    return "(" + " or ".join(
        f"(role:{role} and domain_id:%(target.{holder}.domain_id)s and domain_id:%(target.{target})s)"
        for holder in ("user", "group") for target in ("project.domain_id", "domain.id")) + ")"


_ROLE_FITS = "(domain_id:%(target.role.domain_id)s or None:%(target.role.domain_id)s)"
_CHANGES = (f"{ADMIN} or ({_within('admin')} and {_ROLE_FITS}) or "
            f"({_within('manager')} and rule:domain_managed_target_role)")
_HOLDERS = [f"/v3/{target}/{holder}/roles" for target in ("projects/{project_id}", "domains/{domain_id}")
            for holder in ("users/{user_id}", "groups/{group_id}")]
_INHERITED = [path.replace("/v3", "/v3/OS-INHERIT", 1) for path in _HOLDERS]
_ONE = [*[path + "/{role_id}" for path in _HOLDERS], *[path + "/{role_id}/inherited_to_projects" for path in _INHERITED]]
_USER, _GROUP = "/v3/system/users/{user_id}/roles", "/v3/system/groups/{group_id}/roles"
_ASSIGNMENTS = f"{READER} or (role:reader and domain_id:%(target.domain_id)s and not None:%(target.domain_id)s)"
RULES = [
    rule("identity:check_grant", f"{READER} or ({_within('reader')} and {_ROLE_FITS})",
         "Check whether a role is granted", *[f"GET {path}" for path in _ONE], scopes=EVERY),
    rule("identity:list_grants", f"{READER} or {_within('reader')}", "List the roles of a user or a group on a project or domain",
         *[f"GET {path}" for path in _HOLDERS], *[f"GET {path}/inherited_to_projects" for path in _INHERITED], scopes=EVERY),
    rule("identity:create_grant", _CHANGES, "Grant a role on a project or a domain", *[f"PUT {path}" for path in _ONE],
         scopes=EVERY),
    rule("identity:revoke_grant", _CHANGES, "Revoke a role on a project or a domain", *[f"DELETE {path}" for path in _ONE],
         scopes=EVERY),
    rule("identity:list_system_grants_for_user", READER, "List a user's roles on the system", f"GET {_USER}", scopes=CLOUD),
    rule("identity:check_system_grant_for_user", READER, "Check whether a user has a role on the system",
         f"GET {_USER}/{{role_id}}", scopes=CLOUD),
    rule("identity:create_system_grant_for_user", ADMIN, "Grant a user a role on the system", f"PUT {_USER}/{{role_id}}",
         scopes=CLOUD),
    rule("identity:revoke_system_grant_for_user", ADMIN, "Revoke a user's role on the system", f"DELETE {_USER}/{{role_id}}",
         scopes=CLOUD),
    rule("identity:list_system_grants_for_group", READER, "List a group's roles on the system", f"GET {_GROUP}", scopes=CLOUD),
    rule("identity:check_system_grant_for_group", READER, "Check whether a group has a role on the system",
         f"GET {_GROUP}/{{role_id}}", scopes=CLOUD),
    rule("identity:create_system_grant_for_group", ADMIN, "Grant a group a role on the system", f"PUT {_GROUP}/{{role_id}}",
         scopes=CLOUD),
    rule("identity:revoke_system_grant_for_group", ADMIN, "Revoke a group's role on the system",
         f"DELETE {_GROUP}/{{role_id}}", scopes=CLOUD),
    rule("identity:list_role_assignments", _ASSIGNMENTS,
         "List role assignments; a domain-scoped token lists those in its domain only",
         "GET /v3/role_assignments", scopes=EVERY),
    rule("identity:list_role_assignments_for_tree", _ASSIGNMENTS, "List role assignments on a project and the projects below it",
         "GET /v3/role_assignments", scopes=EVERY),
]
