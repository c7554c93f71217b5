"""Rules that other rules refer to, with OpenStack's names, so that an operator's file can refer to them too."""

import functools

from common import policy

rule = functools.partial(policy.rule, scopes=())

ADMIN = "rule:context_is_admin"
MEMBER = "rule:project_member_or_admin"
MANAGER = "rule:project_manager_or_admin"
READER = "rule:project_reader_or_admin"
SERVICE = "rule:service_or_admin"
ANYBODY = "@"

RULES = [
    rule("context_is_admin", "role:admin",
         "An administrator, who sees the servers, flavors and groups of every project and may act on locked servers"),
    rule("project_manager_api", "role:manager and project_id:%(project_id)s", "A manager of the project that owns the resource"),
    rule("project_member_api", "role:member and project_id:%(project_id)s", "A member of the project that owns the resource"),
    rule("project_reader_api", "role:reader and project_id:%(project_id)s", "A reader of the project that owns the resource"),
    rule("service_api", "role:service", "Another service of the cloud"),
    rule("project_manager_or_admin", "rule:project_manager_api or rule:context_is_admin",
         "The default for requests that a project's members may not make, but its managers"),
    rule("project_member_or_admin", "rule:project_member_api or rule:context_is_admin",
         "The default for requests that change something of a project"),
    rule("project_reader_or_admin", "rule:project_reader_api or rule:context_is_admin",
         "The default for requests that show something of a project"),
    rule("service_or_admin", "rule:service_api or rule:context_is_admin", "The default for requests that other services make"),
]
