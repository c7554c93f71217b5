"""Consoles of servers."""

from common.policy import rule
from compute_api.policies.base import ADMIN, MEMBER

RULES = [
    rule("os_compute_api:os-remote-consoles", MEMBER, "Create a URL that opens a server's console",
         "POST /servers/{server_id}/action (os-getSerialConsole)", "POST /servers/{server_id}/action (os-getSPICEConsole)",
         "POST /servers/{server_id}/action (os-getVNCConsole)", "POST /servers/{server_id}/remote-consoles"),
    rule("os_compute_api:os-console-auth-tokens", ADMIN, "Show the console of a token",
         "GET /os-console-auth-tokens/{console_token}"),
]
