"""Discovery of the network API, and the extensions that it has."""

from common import errors

_EXTENSIONS = {
    "agent": "Agent", "allowed-address-pairs": "Allowed Address Pairs", "binding": "Port Binding",
    "availability_zone": "Availability Zone",
    "dhcp_agent_scheduler": "DHCP Agent Scheduler", "l3_agent_scheduler": "L3 Agent Scheduler",
    "dvr": "Distributed Virtual Router",
    "ext-gw-mode": "Neutron L3 Configurable external gateway mode", "external-net": "Neutron external network",
    "extra_dhcp_opt": "Neutron Extra DHCP options", "extraroute": "Neutron Extra Route",
    "metering": "Neutron Metering",
    "net-mtu": "Network MTU", "network-ip-availability": "Network IP Availability", "pagination": "Pagination support",
    "port-security": "Port Security", "project-id": "project_id field enabled", "provider": "Provider Network",
    "quotas": "Quota management support", "quota_details": "Quota details management support",
    "router": "Neutron L3 Router", "security-group": "security-group", "sorting": "Sorting support",
    "standard-attr-description": "standard-attr-description",
    "default-subnetpools": "Default Subnetpools", "subnet_allocation": "Subnet Allocation",
    "standard-attr-tag": "Tag support for resources with standard attribute",
    "tag-creation": "Tag creation extension",
    "standard-attr-revisions": "Resource revision numbers", "standard-attr-timestamp": "Resource timestamps",
    "service-type": "Neutron Service Type Management",
    "subnet-external-network": "Subnet belongs to an external network",
    "revision-if-match": "If-Match constraints based on revision_number", "filter-validation": "Filter parameters validation",
    "sort-key-validation": "Sort key validation", "empty-string-filtering": "Empty String Filtering Extension",
    "ip-substring-port-filtering": "IP address substring filtering", "quota-check-limit": "Quota engine limit check",
    "security-groups-normalized-cidr": "Normalized CIDR field for security group rules",
    "security-groups-shared-filtering": "Security group filtering on the shared field",
}


def _extension(alias: str) -> dict:
    name = _EXTENSIONS[alias]
    return {"alias": alias, "name": name, "description": name, "links": [], "updated": "2013-01-01T00:00:00-00:00"}


def index(req):
    return {"versions": [{"id": "v2.0", "status": "CURRENT",
                          "links": [{"rel": "self", "href": f"{req.base_url()}/v2.0/"}]}]}


def show(req):
    names = ("network", "subnet", "port", "router", "floatingip", "subnetpool", "security-group", "security-group-rule")
    return {"resources": [{"links": [{"rel": "self", "href": f"{req.base_url()}/v2.0/{n}s"}],
                           "name": n.replace("-", "_"), "collection": f"{n.replace('-', '_')}s"} for n in names]}


def extensions(req):
    return {"extensions": [_extension(a) for a, name in sorted(_EXTENSIONS.items()) if name]}


def extension(req, alias):
    if not _EXTENSIONS.get(alias):
        raise errors.NotFound(f"Extension with alias {alias} does not exist", kind="HTTPNotFound")
    return {"extension": _extension(alias)}
