"""Networks as the compute API once had them: a view of the network service's, until microversion 2.35.

What only nova-network knew of one is null, as it is in Nova since that is gone.
"""

from common import errors
from common.rest import path
from compute_api import access

_FIELDS = ("cidr", "netmask", "gateway", "broadcast", "dns1", "dns2", "cidr_v6", "gateway_v6", "netmask_v6")
_OF_ADMINS = ("created_at", "updated_at", "deleted_at", "deleted", "injected", "bridge", "vlan", "vpn_public_address",
              "vpn_public_port", "vpn_private_address", "dhcp_start", "project_id", "host", "bridge_interface", "multi_host",
              "priority", "rxtx_base", "mtu", "dhcp_server", "enable_dhcp", "share_address")


def _all(req, rule: str) -> list[dict]:
    req.svc.policy.check(req.ctx, rule, access.own(req.call))
    where = path("/v2.0/networks", query={"fields": ["id", "name"]})
    return req.svc.rest.request("GET", "network", where, ctx=req.ctx)["networks"]


def _one(req, id: str, rule: str) -> dict:
    req.svc.policy.check(req.ctx, rule, access.own(req.call))
    try:
        return req.svc.rest.request("GET", "network", path("/v2.0/networks/{id}", id), ctx=req.ctx)["network"]
    except errors.NotFound:
        raise errors.NotFound("Network not found") from None


def _view(req, network: dict) -> dict:
    names = _FIELDS + _OF_ADMINS if access.knows_all(req.call) else _FIELDS
    return {"id": network["id"], "label": network["name"], **dict.fromkeys(names)}


def _tenant_view(network: dict) -> dict:
    return {"id": network["id"], "label": network["name"], "cidr": "None"}  # the text "None", as Nova sends it


def index(req):
    return {"networks": [_view(req, n) for n in _all(req, "os_compute_api:os-networks:list")]}


def show(req, id):
    return {"network": _view(req, _one(req, id, "os_compute_api:os-networks:show"))}


def tenant_index(req):
    return {"networks": [_tenant_view(n) for n in _all(req, "os_compute_api:os-tenant-networks:list")]}


def tenant_show(req, id):
    return {"network": _tenant_view(_one(req, id, "os_compute_api:os-tenant-networks:show"))}
