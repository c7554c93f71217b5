"""How routers are carried: what clients may ask for by ``distributed``. There is nothing else to choose a provider of."""

from common import wsgi
from network.handlers import listing
from network.services.listing import in_memory

# By the names of Neutron's own providers: on one host, or on every host that has servers behind it.
_PROVIDERS = ({"service_type": "L3_ROUTER_NAT", "name": "single_node", "default": True},
              {"service_type": "L3_ROUTER_NAT", "name": "dvr", "default": False})
_FILTERS = {"service_type": str, "name": str, "default": wsgi.bool_value}


def index(req):
    found = [dict(row) for row in _PROVIDERS if req.svc.policy.allows(req.ctx, "get_service_provider", {})]
    return {"service_providers": in_memory(listing.query(req), found, _FILTERS, ("service_type",), key="name")}
