"""Rules that other rules refer to, and the checks and scopes that most of them share."""

from common.policy import rule

ADMIN = "rule:admin_required"
SYSTEM_READER = "(role:reader and system_scope:all)"
READER = f"{ADMIN} or {SYSTEM_READER}"
ANYONE = ""

# Resources of the whole cloud are managed with system-scoped tokens, or with project-scoped ones, as administrators have them.
CLOUD = ("system", "project")
EVERY = ("system", "domain", "project")

RULES = [
    rule("admin_required", "role:admin", "An administrator, whatever the scope of the token"),
    rule("service_role", "role:service", "The user of another service of the cloud"),
    rule("service_or_admin", f"{ADMIN} or rule:service_role", "A service or an administrator"),
    rule("owner", "user_id:%(user_id)s", "The user named in the path"),
    rule("admin_or_owner", f"{ADMIN} or rule:owner", "An administrator, or the user named in the path"),
    rule("token_subject", "user_id:%(target.token.user_id)s", "The user of the token that the request is about"),
    rule("domain_managed_target_role",
         "'manager':%(target.role.name)s or 'member':%(target.role.name)s or 'reader':%(target.role.name)s",
         "The roles that a domain manager may grant and revoke; users and groups with other roles are beyond its reach"),
]
