"""Availability zones."""

from common.policy import rule
from compute_api.policies.base import ADMIN, ANYBODY

RULES = [
    rule("os_compute_api:os-availability-zone:list", ANYBODY, "List availability zones", "GET /os-availability-zone"),
    rule("os_compute_api:os-availability-zone:detail", ADMIN, "List availability zones with their hosts",
         "GET /os-availability-zone/detail"),
]
