"""Quotas and limits of projects, and the quotas of classes."""

from common.policy import rule
from compute_api.policies.base import ADMIN, ANYBODY, READER

_SET = "/os-quota-sets/{tenant_id}"
_CLASS = "/os-quota-class-sets/{quota_class}"

RULES = [
    rule("os_compute_api:os-quota-sets:show", READER, "Show a project's quotas", f"GET {_SET}"),
    rule("os_compute_api:os-quota-sets:detail", READER, "Show a project's quotas and their use", f"GET {_SET}/detail"),
    rule("os_compute_api:os-quota-sets:defaults", ANYBODY, "Show the default quotas",
         f"GET {_SET}/defaults"),
    rule("os_compute_api:os-quota-sets:update", ADMIN, "Set a project's quotas", f"PUT {_SET}"),
    rule("os_compute_api:os-quota-sets:delete", ADMIN, "Reset a project's quotas to the defaults", f"DELETE {_SET}"),
    rule("os_compute_api:os-quota-class-sets:show", ADMIN, "Show the quotas of a class", f"GET {_CLASS}"),
    rule("os_compute_api:os-quota-class-sets:update", ADMIN, "Set the quotas of a class", f"PUT {_CLASS}"),
    rule("os_compute_api:limits", ANYBODY, "Show the limits of one's project and their use", "GET /limits"),
    rule("os_compute_api:limits:other_project", ADMIN, "Show the limits of the project that a request names", "GET /limits"),
]
