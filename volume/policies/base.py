"""Rules that other rules refer to, with Cinder's names, so that an operator's file can refer to them too.

As in Cinder, tokens of every scope are accepted; rules about a project's resources check the project of the token.
"""

import functools

from common import policy

rule = functools.partial(policy.rule, scopes=())

ADMIN = "rule:admin_api"
MEMBER = "rule:xena_system_admin_or_project_member"
READER = "rule:xena_system_admin_or_project_reader"
# The users of services have only this role, and work with the volumes of servers and images of every project.
OR_SERVICE = " or rule:service_api"

RULES = [
    rule("context_is_admin", "role:admin", "An administrator, who sees the volumes of every project"),
    rule("admin_api", "rule:context_is_admin", "The default for requests that only administrators may make"),
    rule("service_api", "role:service", "Another service of the cloud, which works with the volumes of every project's servers"),
    rule("xena_system_admin_or_project_member", "role:admin or (role:member and project_id:%(project_id)s)",
         "The default for requests that change something: administrators, and members of the project that owns it"),
    rule("xena_system_admin_or_project_reader", "role:admin or (role:reader and project_id:%(project_id)s)",
         "The default for requests that show something: administrators, and readers of the project that owns it"),
]
