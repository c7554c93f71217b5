"""What projects used, and the logs of usage audits."""

from common.policy import rule
from compute_api.policies.base import ADMIN, READER

RULES = [
    rule("os_compute_api:os-simple-tenant-usage:show", READER, "See what a project used in a period",
         "GET /os-simple-tenant-usage/{tenant_id}"),
    rule("os_compute_api:os-simple-tenant-usage:list", ADMIN, "See what every project used in a period",
         "GET /os-simple-tenant-usage"),
    rule("os_compute_api:os-instance-usage-audit-log:list", ADMIN, "Count each host's servers in the last month",
         "GET /os-instance_usage_audit_log"),
    rule("os_compute_api:os-instance-usage-audit-log:show", ADMIN, "Count each host's servers in an earlier month",
         "GET /os-instance_usage_audit_log/{before_timestamp}"),
]
