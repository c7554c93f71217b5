"""Parts of Nova's API that are not supported."""

from common.unsupported import Part, Table

_NETWORKS = "nova-network's commands"
TABLE = Table("/v2.1", [
    Part("/servers/{id}/shares", "shared file systems of servers"), Part("/os-baremetal-nodes", "bare-metal nodes"),
    Part("/os-volumes_boot", "an old name of /servers"),
    Part("/os-assisted-volume-snapshots", "snapshots of volumes by the hypervisor"),
    Part("/os-agents", "guest agents of XenServer", removed=True), Part("/os-cells", "the commands of cells v1", removed=True),
    Part("/os-certificates", "x509 certificates", removed=True), Part("/os-cloudpipe", "VPN servers of projects", removed=True),
    Part("/os-fixed-ips", _NETWORKS, removed=True), Part("/os-floating-ip-dns", _NETWORKS, removed=True),
    Part("/os-floating-ips-bulk", _NETWORKS, removed=True), Part("/os-fping", "pings of servers", removed=True),
    Part("/os-security-group-default-rules", _NETWORKS, removed=True),
    Part("/servers/{id}/consoles", "consoles of XenServer", removed=True),
    Part("/servers/{id}/os-virtual-interfaces", "virtual interfaces (see os-interface)", removed=True),
    Part("/os-networks", _NETWORKS, ("POST",), removed=True), Part("/os-networks/add", _NETWORKS, ("POST",), removed=True),
    Part("/os-networks/{id}", _NETWORKS, ("DELETE",), removed=True), Part("/os-networks/{id}/action", _NETWORKS, removed=True),
    Part("/os-tenant-networks", _NETWORKS, ("POST",), removed=True),
    Part("/os-tenant-networks/{id}", _NETWORKS, ("DELETE",), removed=True),
], project=True)
# {action on servers: its purpose}
ACTIONS = {
    "os-getRDPConsole": "RDP consoles", "os-getMKSConsole": "MKS consoles",
}
# Actions that OpenStack has also removed.
REMOVED_ACTIONS = {"resetNetwork": "networks that are set up inside servers by XenServer"}
