"""Rules of routers. Only administrators choose the addresses of a gateway and switch its address translation."""

from common.policy import rule
from network.policies import base

_PATH = "/routers"
_SENT = {
    "distributed": base.ADMIN, "ha": base.ADMIN, "external_gateway_info": base.ADMIN_OR_MEMBER,
    "external_gateway_info:network_id": base.ADMIN_OR_MEMBER, "external_gateway_info:enable_snat": base.ADMIN,
    "external_gateway_info:external_fixed_ips": base.ADMIN}
RULES = [
    *base.of_noun("router", _PATH, create=base.ADMIN_OR_MEMBER, get=base.ADMIN_OR_READER, update=base.ADMIN_OR_MEMBER,
                  delete=base.ADMIN_OR_MEMBER),
    *base.of_attributes("create", "router", _PATH, _SENT), *base.of_attributes("update", "router", _PATH, _SENT),
    *base.of_attributes("get", "router", _PATH, {"distributed": base.ADMIN, "ha": base.ADMIN}),
    *base.tags("router", f"{_PATH}/{{id}}"),
    *[rule(name, base.ADMIN_OR_MEMBER, text, f"PUT {_PATH}/{{id}}/{name}") for name, text in (
        ("add_router_interface", "Add an interface to a router"),
        ("remove_router_interface", "Remove an interface from a router"),
        ("add_extraroutes", "Add static routes to a router"), ("remove_extraroutes", "Remove static routes from a router"))]]
