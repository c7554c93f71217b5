"""Security groups through the proxy routes, which call the network service with the caller's token."""

from common.policy import rule
from compute_api.policies.base import MEMBER, READER

_ONE, _ACTION = "/os-security-groups/{security_group_id}", "POST /servers/{server_id}/action"

RULES = [
    rule("os_compute_api:os-security-groups:get", READER, "List security groups", "GET /os-security-groups"),
    rule("os_compute_api:os-security-groups:create", MEMBER, "Create a security group", "POST /os-security-groups"),
    rule("os_compute_api:os-security-groups:show", READER, "Show a security group", f"GET {_ONE}"),
    rule("os_compute_api:os-security-groups:update", MEMBER, "Change a security group", f"PUT {_ONE}"),
    rule("os_compute_api:os-security-groups:delete", MEMBER, "Delete a security group", f"DELETE {_ONE}"),
    rule("os_compute_api:os-security-groups:rule:create", MEMBER, "Add a rule to a security group",
         "POST /os-security-group-rules"),
    rule("os_compute_api:os-security-groups:rule:delete", MEMBER, "Delete a rule of a security group",
         "DELETE /os-security-group-rules/{security_group_rule_id}"),
    rule("os_compute_api:os-security-groups:list", READER, "List a server's security groups",
         "GET /servers/{server_id}/os-security-groups"),
    rule("os_compute_api:os-security-groups:add", MEMBER, "Add a server to a security group", f"{_ACTION} (addSecurityGroup)"),
    rule("os_compute_api:os-security-groups:remove", MEMBER, "Remove a server from a security group",
         f"{_ACTION} (removeSecurityGroup)"),
]
