"""Servers: lists, one server and what is shown of it, new servers."""

from common.policy import rule
from compute_api.policies.base import ADMIN, MEMBER, READER

_SHOWN = ("GET /servers/{server_id}", "GET /servers/detail", "PUT /servers/{server_id}",
          "POST /servers/{server_id}/action (rebuild)")
_LISTS = ("GET /servers", "GET /servers/detail")

RULES = [
    rule("os_compute_api:servers:index", READER, "List the servers of one's project", "GET /servers"),
    rule("os_compute_api:servers:detail", READER, "List the servers of one's project with all details", "GET /servers/detail"),
    rule("os_compute_api:servers:index:get_all_tenants", ADMIN, "List the servers of all projects", "GET /servers"),
    rule("os_compute_api:servers:detail:get_all_tenants", ADMIN, "List the servers of all projects with all details",
         "GET /servers/detail"),
    rule("os_compute_api:servers:allow_all_filters", ADMIN,
         "Filter lists of servers by every attribute; for others, filters that are reserved are ignored", *_LISTS),
    rule("os_compute_api:servers:show", READER, "Show a server", "GET /servers/{server_id}"),
    rule("os_compute_api:servers:show:flavor-extra-specs", READER, "See the extra specs of a server's flavor",
         *_SHOWN),
    rule("os_compute_api:servers:show:host_status", ADMIN, "See the state of a server's host", *_SHOWN),
    rule("os_compute_api:servers:show:host_status:unknown-only", ADMIN,
         "See whether the state of a server's host is unknown, without seeing its other states", *_SHOWN),
    rule("os_compute_api:os-extended-server-attributes", ADMIN,
         "See a server's host, its internal names, its kernel and its user data", *_SHOWN),
    rule("os_compute_api:servers:create", MEMBER, "Create servers", "POST /servers"),
    rule("os_compute_api:servers:create:forced_host", ADMIN,
         "Create a server on a host that the availability zone or a scheduler hint names", "POST /servers"),
    rule("compute:servers:create:requested_destination", ADMIN,
         "Create a server on a host named by host or hypervisor_hostname", "POST /servers"),
    rule("os_compute_api:servers:create:attach_volume", MEMBER, "Create a server with volumes", "POST /servers"),
    rule("os_compute_api:servers:create:attach_network", MEMBER, "Create a server on networks that the request names",
         "POST /servers"),
    rule("os_compute_api:servers:create:zero_disk_flavor", ADMIN,
         "Create a server with a local disk, from a flavor with no root disk size", "POST /servers"),
    rule("network:attach_external_network", ADMIN, "Use an external network that is not shared for a server's interface",
         "POST /servers", "POST /servers/{server_id}/os-interface"),
    rule("os_compute_api:servers:update", MEMBER, "Change a server's name, description and access addresses",
         "PUT /servers/{server_id}"),
    rule("os_compute_api:servers:delete", MEMBER, "Delete a server", "DELETE /servers/{server_id}"),
    rule("os_compute_api:ips:index", READER, "List a server's addresses", "GET /servers/{server_id}/ips"),
    rule("os_compute_api:ips:show", READER, "List a server's addresses in one network",
         "GET /servers/{server_id}/ips/{network_label}"),
    rule("compute:server:topology:index", READER, "Show a server's NUMA topology", "GET /servers/{server_id}/topology"),
    rule("compute:server:topology:host:index", ADMIN, "Show on which NUMA nodes and CPUs of its host a server is",
         "GET /servers/{server_id}/topology"),
]
