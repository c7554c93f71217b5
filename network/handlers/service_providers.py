"""Service providers: the ways to host routers, selected by ``distributed``. No other resource has providers."""

from common import wsgi
from network.handlers import listing
from network.services.listing import in_memory

# With the names of Neutron's providers: on one host, or on every host that has servers behind the router.
_PROVIDERS = ({"service_type": "L3_ROUTER_NAT", "name": "single_node", "default": True},
              {"service_type": "L3_ROUTER_NAT", "name": "dvr", "default": False})
_FILTERS = {"service_type": str, "name": str, "default": wsgi.bool_value}


def index(req):
    found = [dict(row) for row in _PROVIDERS if req.svc.policy.allows(req.ctx, "get_service_provider", {})]
    return {"service_providers": in_memory(listing.query(req), found, _FILTERS, ("service_type",), key="name")}
