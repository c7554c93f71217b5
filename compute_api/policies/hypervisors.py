"""Hypervisors."""

from common.policy import rule
from compute_api.policies.base import ADMIN

RULES = [
    rule("os_compute_api:os-hypervisors:list", ADMIN, "List hypervisors", "GET /os-hypervisors"),
    rule("os_compute_api:os-hypervisors:list-detail", ADMIN, "List hypervisors with all details", "GET /os-hypervisors/detail"),
    rule("os_compute_api:os-hypervisors:statistics", ADMIN, "Show the statistics of all hypervisors",
         "GET /os-hypervisors/statistics"),
    rule("os_compute_api:os-hypervisors:show", ADMIN, "Show a hypervisor", "GET /os-hypervisors/{hypervisor_id}"),
    rule("os_compute_api:os-hypervisors:uptime", ADMIN, "Show how long a hypervisor has been up",
         "GET /os-hypervisors/{hypervisor_id}/uptime"),
    rule("os_compute_api:os-hypervisors:search", ADMIN, "Find hypervisors by a part of their names",
         "GET /os-hypervisors/{hypervisor_hostname_pattern}/search"),
    rule("os_compute_api:os-hypervisors:servers", ADMIN, "List the servers of hypervisors found by a part of their names",
         "GET /os-hypervisors/{hypervisor_hostname_pattern}/servers"),
]
