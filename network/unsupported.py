"""Features of Neutron and its companion projects that are not supported."""

from common.unsupported import Part, Table

_QOS, _SEGMENTS = "QoS policies", "segments of networks"
_LOCAL_IPS, _BGP = "local IPs", "BGP"
TABLE = Table("", [*(Part(f"/v2.0/{path}", feature) for path, feature in {
    "address-groups": "address groups", "address-scopes": "address scopes",
    "auto-allocated-topology": "automatically allocated topologies",
    "default-security-group-rules": "templates of security group rules",
    "security-groups-default-statefulness": "stateless security groups",
    "flavors": "flavors of routers", "service_profiles": "flavors of routers", "floatingip_pools": "pools of floating IPs",
    "floatingips/{id}/port_forwardings": "port forwardings", "routers/{id}/conntrack_helpers": "conntrack helpers",
    "local-ips": _LOCAL_IPS, "local_ips": _LOCAL_IPS, "log": "logs of packets", "ndp_proxies": "NDP proxies",
    "network_segment_ranges": _SEGMENTS, "network-segment-ranges": _SEGMENTS, "segments": _SEGMENTS,
    "ports/{id}/bindings": "several bindings of a port", "qos": _QOS, "rbac-policies": "RBAC policies", "trunks": "trunks",
    "routers/{id}/add_external_gateways": "several external gateways of a router",
    "routers/{id}/update_external_gateways": "several external gateways of a router",
    "routers/{id}/remove_external_gateways": "several external gateways of a router",
    "subnetpools/{id}/add_prefixes": "changes of a pool's prefixes by action (update its prefixes)",
    "subnetpools/{id}/remove_prefixes": "smaller subnet pools",
    "subnetpools/{id}/onboard_network_subnets": "adding existing subnets to a pool",
    "vpn": "VPNs", "fwaas": "firewalls", "fw": "firewalls", "lb": "load balancers", "lbaas": "load balancers",
    "bgp-speakers": _BGP, "bgp-peers": _BGP, "bgpvpn": "BGP VPNs", "sfc": "service function chains", "taas": "taps of ports",
    "gw": "layer-2 gateways", "l2-gateways": "layer-2 gateways", "l2-gateway-connections": "layer-2 gateways",
}.items()), Part("/v2/lbaas", "load balancers")])
