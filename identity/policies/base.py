"""The rules that others refer to by name, and the checks and scopes that most of them share."""

from common.policy import rule

ADMIN = "rule:admin_required"
SYSTEM_READER = "(role:reader and system_scope:all)"
READER = f"{ADMIN} or {SYSTEM_READER}"
ANYONE = ""

# What belongs to the whole cloud is ruled with a token for the system or for a project, which is what administrators have.
CLOUD = ("system", "project")
EVERY = ("system", "domain", "project")

RULES = [
    rule("admin_required", "role:admin", "an administrator, of whatever the token is for"),
    rule("service_role", "role:service", "a user of one of the cloud's services"),
    rule("service_or_admin", f"{ADMIN} or rule:service_role", "a service or an administrator"),
    rule("owner", "user_id:%(user_id)s", "the user whom the path names"),
    rule("admin_or_owner", f"{ADMIN} or rule:owner", "an administrator, or the user whom the path names"),
    rule("token_subject", "user_id:%(target.token.user_id)s", "the user of the token that is asked about"),
    rule("domain_managed_target_role",
         "'manager':%(target.role.name)s or 'member':%(target.role.name)s or 'reader':%(target.role.name)s",
         "the roles that a domain's manager gives and takes; who holds any other is not the manager's to change"),
]
