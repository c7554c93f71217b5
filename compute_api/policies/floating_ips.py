"""Floating IPs through the proxy routes, which call the network service with the caller's token."""

from common.policy import rule
from compute_api.policies.base import ANYBODY, MEMBER, READER

_ACTION = "POST /servers/{server_id}/action"

RULES = [
    rule("os_compute_api:os-floating-ip-pools", ANYBODY, "List pools of floating IPs", "GET /os-floating-ip-pools"),
    rule("os_compute_api:os-floating-ips:list", READER, "List floating IPs", "GET /os-floating-ips"),
    rule("os_compute_api:os-floating-ips:create", MEMBER, "Allocate a floating IP from a pool", "POST /os-floating-ips"),
    rule("os_compute_api:os-floating-ips:show", READER, "Show a floating IP", "GET /os-floating-ips/{floating_ip_id}"),
    rule("os_compute_api:os-floating-ips:delete", MEMBER, "Release a floating IP", "DELETE /os-floating-ips/{floating_ip_id}"),
    rule("os_compute_api:os-floating-ips:add", MEMBER, "Associate a floating IP with a server", f"{_ACTION} (addFloatingIp)"),
    rule("os_compute_api:os-floating-ips:remove", MEMBER, "Disassociate a floating IP from a server",
         f"{_ACTION} (removeFloatingIp)"),
]
