"""Rules of ports.

A port belongs to its own project. If its network belongs to another project, that project controls what could harm the
network: MAC and IP addresses, address pairs, port security, and the device owners that the network service uses itself.
"""

from common.policy import rule
from network.policies import base

_PATH = "/ports"
_MEMBER_OF_NETWORK = f"{base.ADMIN_OR_SERVICE} or {base.MEMBER_OF_NETWORK}"
_OF_SHARED = f"{_MEMBER_OF_NETWORK} or rule:shared"
_READ = f"({base.ADMIN}) or {base.READER_OF_NETWORK} or {base.READER}"
_PAIRS = f"({base.ADMIN}) or ({base.MEMBER_OF_NETWORK}) or {base.SERVICE}"
_SENT = {
    "device_id": f"{base.ADMIN_OR_MEMBER} or {base.SERVICE}", "device_owner": f"not rule:network_device or {_MEMBER_OF_NETWORK}",
    "fixed_ips:ip_address": _MEMBER_OF_NETWORK, "fixed_ips:subnet_id": _OF_SHARED,
    "port_security_enabled": _MEMBER_OF_NETWORK, "allowed_address_pairs": _PAIRS,
    "allowed_address_pairs:mac_address": _PAIRS, "allowed_address_pairs:ip_address": _PAIRS,
    "binding:host_id": base.ADMIN_OR_SERVICE, "binding:profile": base.SERVICE}
_OWN_OR_ON_OWN = f"({base.MEMBER_OF_NETWORK} or {base.MEMBER})"
_CREATE = rule("create_port", _OF_SHARED, "Create a port, or have the compute service create one", f"POST {_PATH}",
               f"POST {_PATH}/check")
RULES = [
    rule("network_device", "field:port:device_owner=~^network:",
         "The port's device_owner says that it belongs to the network service"),
    rule("compute_device", "field:port:device_owner=~^compute:", "The port's device_owner says that it belongs to a server"),
    rule("baremetal_device", "field:port:device_owner=~^baremetal:",
         "The port's device_owner says that it belongs to a bare-metal machine"),
    rule("manila_device", "field:port:device_owner=~^manila:",
         "The port's device_owner says that it belongs to the shared file system service"),
    _CREATE, *base.of_noun("port", _PATH, get=f"({base.SERVICE}) or {_READ}",
                  update=f"{base.ADMIN_OR_SERVICE} or {base.MEMBER}",
                  # A server's interface is detached from the server, and so deleted by the compute service.
                  delete=f"{base.ADMIN_OR_SERVICE} or (service_roles:service and {_OWN_OR_ON_OWN}) or (not rule:compute_device "
                         f"and not rule:baremetal_device and not rule:manila_device and {_OWN_OR_ON_OWN})"),
    *base.of_attributes("create", "port", _PATH, {**_SENT, "mac_address": _MEMBER_OF_NETWORK, "fixed_ips": _OF_SHARED}),
    *base.of_attributes("update", "port", _PATH, {
        **_SENT, "mac_address": f"{base.ADMIN_OR_SERVICE} or role:manager and {base.NETWORK_OWNER}",
        "fixed_ips": _MEMBER_OF_NETWORK, "binding:vnic_type": f"{base.ADMIN_OR_MEMBER} or {base.SERVICE}"}),
    *base.of_attributes("get", "port", _PATH, dict.fromkeys(
        ("binding:vif_type", "binding:vif_details", "binding:host_id", "binding:profile"), base.ADMIN_OR_SERVICE)),
    *[r for r in base.tags("port", f"{_PATH}/{{id}}", read=_READ) if r.name != "delete_port:tags"],
    rule("delete_port:tags", f"{base.MEMBER} or ({base.ADMIN}) or ({base.MEMBER_OF_NETWORK})", "Remove tags from a port",
         f"DELETE {_PATH}/{{id}}/tags", f"DELETE {_PATH}/{{id}}/tags/{{tag}}")]
