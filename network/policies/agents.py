"""Rules of agents, their assignments, availability zones and service providers."""

from common.policy import rule
from network.policies import base

_SCHEDULING = (
    ("get_dhcp-networks", "List the networks that a DHCP agent serves", "GET /agents/{id}/dhcp-networks"),
    ("create_dhcp-network", "Assign a network to a DHCP agent", "POST /agents/{id}/dhcp-networks"),
    ("delete_dhcp-network", "Remove a network from a DHCP agent", "DELETE /agents/{id}/dhcp-networks/{network_id}"),
    ("get_dhcp-agents", "List the DHCP agents that serve a network", "GET /networks/{id}/dhcp-agents"),
    ("get_l3-routers", "List the routers that an L3 agent hosts", "GET /agents/{id}/l3-routers"),
    ("create_l3-router", "Assign a router to an L3 agent", "POST /agents/{id}/l3-routers"),
    ("delete_l3-router", "Remove a router from an L3 agent", "DELETE /agents/{id}/l3-routers/{router_id}"),
    ("get_l3-agents", "List the L3 agents that host a router", "GET /routers/{id}/l3-agents"))
RULES = [
    rule("get_agent", base.ADMIN, "List and show agents", "GET /agents", "GET /agents/{id}"),
    rule("update_agent", base.ADMIN, "Change an agent", "PUT /agents/{id}"),
    rule("delete_agent", base.ADMIN, "Delete an agent", "DELETE /agents/{id}"),
    *[rule(name, base.ADMIN, text, request) for name, text, request in _SCHEDULING],
    rule("get_availability_zone", "role:reader", "List availability zones", "GET /availability_zones"),
    rule("get_service_provider", "role:reader", "List the ways in which routers can be hosted", "GET /service-providers")]
