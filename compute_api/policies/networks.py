"""Networks through the proxy routes, which call the network service with the caller's token."""

from common.policy import rule
from compute_api.policies.base import READER

RULES = [
    rule("os_compute_api:os-networks:list", READER, "List networks", "GET /os-networks"),
    rule("os_compute_api:os-networks:show", READER, "Show a network", "GET /os-networks/{network_id}"),
    rule("os_compute_api:os-tenant-networks:list", READER, "List the networks that one's project may use",
         "GET /os-tenant-networks"),
    rule("os_compute_api:os-tenant-networks:show", READER, "Show a network that one's project may use",
         "GET /os-tenant-networks/{network_id}"),
]
