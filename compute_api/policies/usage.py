"""What projects used."""

from common.policy import rule
from compute_api.policies.base import ADMIN, READER

RULES = [
    rule("os_compute_api:os-simple-tenant-usage:show", READER, "See what a project used in a period",
         "GET /os-simple-tenant-usage/{tenant_id}"),
    rule("os_compute_api:os-simple-tenant-usage:list", ADMIN, "See what every project used in a period",
         "GET /os-simple-tenant-usage"),
]
