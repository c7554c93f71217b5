"""The password that a guest posted."""

from common.policy import rule
from compute_api.policies.base import MEMBER, READER

RULES = [
    rule("os_compute_api:os-server-password:show", READER, "Read the encrypted password that a server's guest posted",
         "GET /servers/{server_id}/os-server-password"),
    rule("os_compute_api:os-server-password:clear", MEMBER, "Delete the password that a server's guest posted",
         "DELETE /servers/{server_id}/os-server-password"),
]
