"""The network proxies of the compute API, until microversion 2.35.

Attributes that only nova-network had are null, as in Nova since nova-network was removed.
"""

from compute_api import access
from compute_api.services import networks

_FIELDS = ("cidr", "netmask", "gateway", "broadcast", "dns1", "dns2", "cidr_v6", "gateway_v6", "netmask_v6")
_OF_ADMINS = ("created_at", "updated_at", "deleted_at", "deleted", "injected", "bridge", "vlan", "vpn_public_address",
              "vpn_public_port", "vpn_private_address", "dhcp_start", "project_id", "host", "bridge_interface", "multi_host",
              "priority", "rxtx_base", "mtu", "dhcp_server", "enable_dhcp", "share_address")


def _view(req, network: dict) -> dict:
    names = _FIELDS + _OF_ADMINS if access.knows_all(req.call) else _FIELDS
    return {"id": network["id"], "label": network["name"], **dict.fromkeys(names)}


def _tenant_view(network: dict) -> dict:
    return {"id": network["id"], "label": network["name"], "cidr": "None"}  # the text "None", as Nova sends it


def index(req):
    return {"networks": [_view(req, n) for n in networks.index(req.call, "os_compute_api:os-networks:list")]}


def show(req, id):
    return {"network": _view(req, networks.show(req.call, id, "os_compute_api:os-networks:show"))}


def tenant_index(req):
    return {"networks": [_tenant_view(n) for n in networks.index(req.call, "os_compute_api:os-tenant-networks:list")]}


def tenant_show(req, id):
    return {"network": _tenant_view(networks.show(req.call, id, "os_compute_api:os-tenant-networks:show"))}
