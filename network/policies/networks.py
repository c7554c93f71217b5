"""Rules of networks."""

from common.policy import rule
from network.policies import base

_PATH = "/networks"
_PROVIDER = dict.fromkeys(("provider:network_type", "provider:physical_network", "provider:segmentation_id"), base.ADMIN)
_SENT = {"shared": base.ADMIN, "router:external": base.ADMIN, "is_default": base.ADMIN,
         "port_security_enabled": base.ADMIN_OR_MEMBER, **_PROVIDER}
_SEEN_BY_ALL = "rule:shared or rule:external"
RULES = [
    rule("external", "field:networks:router:external=True", "The network is external"),
    *base.of_noun("network", _PATH, create=base.ADMIN_OR_MEMBER, update=base.ADMIN_OR_MEMBER, delete=base.ADMIN_OR_MEMBER,
                  get=f"{base.ADMIN_OR_READER} or {base.SERVICE} or {_SEEN_BY_ALL}"),
    *base.of_attributes("create", "network", _PATH, _SENT), *base.of_attributes("update", "network", _PATH, _SENT),
    *base.of_attributes("get", "network", _PATH, _PROVIDER),
    *base.tags("network", f"{_PATH}/{{id}}", read=f"{base.ADMIN_OR_READER} or {_SEEN_BY_ALL}"),
    rule("get_network_ip_availability", base.ADMIN_OR_SERVICE, "See how many addresses of networks are in use",
         "GET /network-ip-availabilities", "GET /network-ip-availabilities/{id}")]
