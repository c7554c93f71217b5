"""Rules of agents, of what each serves, of availability zones and of service providers."""

from common.policy import rule
from network.policies import base

_SCHEDULING = (
    ("get_dhcp-networks", "See the networks that a DHCP agent serves.", "GET /agents/{id}/dhcp-networks"),
    ("create_dhcp-network", "Have a DHCP agent serve a network.", "POST /agents/{id}/dhcp-networks"),
    ("delete_dhcp-network", "Take a network from a DHCP agent.", "DELETE /agents/{id}/dhcp-networks/{network_id}"),
    ("get_dhcp-agents", "See the DHCP agents that serve a network.", "GET /networks/{id}/dhcp-agents"),
    ("get_l3-routers", "See the routers that an L3 agent carries.", "GET /agents/{id}/l3-routers"),
    ("create_l3-router", "Have an L3 agent carry a router.", "POST /agents/{id}/l3-routers"),
    ("delete_l3-router", "Take a router from an L3 agent.", "DELETE /agents/{id}/l3-routers/{router_id}"),
    ("get_l3-agents", "See the L3 agents that carry a router.", "GET /routers/{id}/l3-agents"))
RULES = [
    rule("get_agent", base.ADMIN, "See agents.", "GET /agents", "GET /agents/{id}"),
    rule("update_agent", base.ADMIN, "Change an agent.", "PUT /agents/{id}"),
    rule("delete_agent", base.ADMIN, "Forget an agent.", "DELETE /agents/{id}"),
    *[rule(name, base.ADMIN, text, request) for name, text, request in _SCHEDULING],
    rule("get_availability_zone", "role:reader", "See availability zones.", "GET /availability_zones"),
    rule("get_service_provider", "role:reader", "See how routers can be carried.", "GET /service-providers")]
