"""Hosts, as os-hosts shows them."""

from common.policy import rule
from compute_api.policies.base import ADMIN

RULES = [
    rule("os_compute_api:os-hosts:list", ADMIN, "List hosts by their daemons", "GET /os-hosts"),
    rule("os_compute_api:os-hosts:show", ADMIN, "Show what a host has and what is used of it", "GET /os-hosts/{host_name}"),
    rule("os_compute_api:os-hosts:update", ADMIN, "Enable or disable a host", "PUT /os-hosts/{host_name}"),
    *(rule(f"os_compute_api:os-hosts:{name}", ADMIN, f"Have a host {meaning}", f"GET /os-hosts/{{host_name}}/{path}")
      for name, path, meaning in (("reboot", "reboot", "reboot"), ("shutdown", "shutdown", "shut down"),
                                  ("start", "startup", "start"))),
]
