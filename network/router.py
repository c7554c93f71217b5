"""Every route of the network API."""

from common.wsgi import Route
from network.handlers import agents, ip_availability, quotas, routers, service_providers, tags, versions
from network.handlers.resource import Handlers
from network.services.floatingips import FLOATINGIPS
from network.services.metering import LABEL_RULES, LABELS
from network.services.networks import NETWORKS
from network.services.ports import PORTS
from network.services.resource import Resource
from network.services.routers import ROUTERS
from network.services.security_groups import RULES, SECURITY_GROUPS
from network.services.subnetpools import SUBNETPOOLS
from network.services.subnets import SUBNETS


def _crud(resource: Resource, path: str) -> list[Route]:
    path, handlers = f"/v2.0/{path}", Handlers(resource)
    return [Route("GET", path, handlers.index), Route("POST", path, handlers.create, 201),
            Route("GET", path + "/{id}", handlers.show), Route("PUT", path + "/{id}", handlers.update),
            Route("DELETE", path + "/{id}", handlers.delete, 204), *tags.routes(resource, path + "/{id}/tags")]


def _fixed(resource: Resource, path: str) -> list[Route]:
    """Routes of a resource that can be created and deleted, but not changed."""
    path, handlers = f"/v2.0/{path}", Handlers(resource)
    return [Route("GET", path, handlers.index), Route("POST", path, handlers.create, 201),
            Route("GET", path + "/{id}", handlers.show), Route("DELETE", path + "/{id}", handlers.delete, 204)]


# Collections whose rows have revision numbers, by their names in paths.
WITH_REVISIONS = frozenset(("networks", "subnets", "subnetpools", "ports", "routers", "floatingips", "security-groups",
                            "security-group-rules"))
ROUTES = [
    Route("GET", "/", versions.index), Route("GET", "/v2.0", versions.show),
    Route("GET", "/v2.0/extensions", versions.extensions),
    Route("GET", "/v2.0/extensions/{alias}", versions.extension),
    *_crud(NETWORKS, "networks"), *_crud(SUBNETS, "subnets"), *_crud(PORTS, "ports"),
    Route("POST", "/v2.0/ports/check", Handlers(PORTS).check_create, 204),  # used by the compute service
    *_crud(SUBNETPOOLS, "subnetpools"), *_crud(ROUTERS, "routers"),
    Route("PUT", "/v2.0/routers/{id}/add_router_interface", routers.add_interface),
    Route("PUT", "/v2.0/routers/{id}/remove_router_interface", routers.remove_interface),
    Route("PUT", "/v2.0/routers/{id}/add_extraroutes", routers.add_routes),
    Route("PUT", "/v2.0/routers/{id}/remove_extraroutes", routers.remove_routes),
    *_crud(FLOATINGIPS, "floatingips"), *_crud(SECURITY_GROUPS, "security-groups"),
    *_fixed(RULES, "security-group-rules"),
    *_fixed(LABELS, "metering/metering-labels"), *_fixed(LABEL_RULES, "metering/metering-label-rules"),
    Route("GET", "/v2.0/agents", agents.index), Route("GET", "/v2.0/agents/{id}", agents.show),
    Route("PUT", "/v2.0/agents/{id}", agents.update), Route("DELETE", "/v2.0/agents/{id}", agents.delete, 204),
    Route("GET", "/v2.0/agents/{id}/dhcp-networks", agents.dhcp_networks),
    Route("POST", "/v2.0/agents/{id}/dhcp-networks", agents.add_network, 201),
    Route("DELETE", "/v2.0/agents/{id}/dhcp-networks/{network_id}", agents.remove_network, 204),
    Route("GET", "/v2.0/networks/{id}/dhcp-agents", agents.agents_of_network),
    Route("GET", "/v2.0/agents/{id}/l3-routers", agents.l3_routers),
    Route("POST", "/v2.0/agents/{id}/l3-routers", agents.add_router, 201),
    Route("DELETE", "/v2.0/agents/{id}/l3-routers/{router_id}", agents.remove_router, 204),
    Route("GET", "/v2.0/routers/{id}/l3-agents", agents.agents_of_router),
    Route("GET", "/v2.0/availability_zones", agents.zones),
    Route("GET", "/v2.0/service-providers", service_providers.index),
    Route("GET", "/v2.0/network-ip-availabilities", ip_availability.index),
    Route("GET", "/v2.0/network-ip-availabilities/{id}", ip_availability.show),
    Route("GET", "/v2.0/quotas", quotas.index),
    Route("GET", "/v2.0/quotas/{target}", quotas.show), Route("PUT", "/v2.0/quotas/{target}", quotas.update),
    Route("DELETE", "/v2.0/quotas/{target}", quotas.delete, 204),
    Route("GET", "/v2.0/quotas/{target}/default", quotas.default),
    Route("GET", "/v2.0/quotas/{target}/details", quotas.details),
]
