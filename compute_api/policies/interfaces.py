"""Network interfaces of a server."""

from common.policy import rule
from compute_api.policies.base import MEMBER, READER

_ALL, _ONE = "/servers/{server_id}/os-interface", "/servers/{server_id}/os-interface/{port_id}"

RULES = [
    rule("os_compute_api:os-attach-interfaces:list", READER, "List a server's interfaces", f"GET {_ALL}"),
    rule("os_compute_api:os-attach-interfaces:show", READER, "Show an interface of a server", f"GET {_ONE}"),
    rule("os_compute_api:os-attach-interfaces:create", MEMBER, "Attach an interface to a server", f"POST {_ALL}"),
    rule("os_compute_api:os-attach-interfaces:delete", MEMBER, "Detach an interface from a server", f"DELETE {_ONE}"),
]
