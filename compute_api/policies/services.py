"""The daemons of the compute service."""

from common.policy import rule
from compute_api.policies.base import ADMIN

RULES = [
    rule("os_compute_api:os-services:list", ADMIN, "List the daemons and their state", "GET /os-services"),
    rule("os_compute_api:os-services:update", ADMIN, "Enable, disable or force down a daemon", "PUT /os-services/{service_id}"),
    rule("os_compute_api:os-services:delete", ADMIN, "Delete a daemon that is gone", "DELETE /os-services/{service_id}"),
]
