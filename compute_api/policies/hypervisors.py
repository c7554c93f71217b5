"""Hypervisors."""

from common.policy import rule
from compute_api.policies.base import ADMIN

RULES = [
    rule("os_compute_api:os-hypervisors:list", ADMIN, "List hypervisors", "GET /os-hypervisors"),
    rule("os_compute_api:os-hypervisors:list-detail", ADMIN, "List hypervisors with all details", "GET /os-hypervisors/detail"),
    rule("os_compute_api:os-hypervisors:statistics", ADMIN, "Sum up all hypervisors", "GET /os-hypervisors/statistics"),
    rule("os_compute_api:os-hypervisors:show", ADMIN, "Show a hypervisor", "GET /os-hypervisors/{hypervisor_id}"),
]
