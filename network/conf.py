"""Options of the network service and its agent."""

from oslo_config import cfg

_QUOTAS = {"network": 100, "subnet": 100, "port": 500, "router": 10, "floatingip": 50, "security_group": 10,
           "security_group_rule": 100, "subnetpool": 50}
OPTS = {"network": [
    cfg.StrOpt("driver", default="linux", choices=["linux", "fake"], help="What the agent builds networks with."),
    cfg.DictOpt("bridge_mappings", default={"public": "br-ex"},
                help="physical network -> existing bridge of this host that reaches it."),
    cfg.BoolOpt("serves", default=True, help="This host serves DHCP and carries routers; false: guests only."),
    cfg.StrOpt("tunnel_ip", default="", help="Address of this host's end of VXLAN tunnels; empty: my_ip, and none where "
                                             "that is a loopback address."),
    cfg.IntOpt("mtu", default=1500, min=576, max=9216, help="MTU of new networks."),
    cfg.IntOpt("dhcp_lease_s", default=86400, min=120, help="Lease time, seconds. Short leases load dnsmasq."),
    cfg.StrOpt("dns_domain", default="pileus.internal", help="Domain that guests get by DHCP."),
    cfg.ListOpt("dns_servers", default=[], help="Resolvers for subnets that name none; empty: dnsmasq forwards."),
    cfg.StrOpt("metadata_secret", default="", secret=True,
               help="Shared with compute-api; signs whom a metadata request comes from."),
    cfg.IntOpt("metering_interval_s", default=60, min=1, help="Seconds between reports of metered traffic."),
    cfg.BoolOpt("failover", default=True,
                help="Give DHCP and routers of a host that is not heard of any more to another. A host that is only cut off from "
                     "the bus goes on serving meanwhile."),
    cfg.IntOpt("plug_timeout_s", default=30, min=1, help="Seconds that an agent may take to plug a port."),
], "quota": [cfg.IntOpt(name, default=value, min=-1, help=f"Most {name}s of a project; -1: no limit.")
             for name, value in _QUOTAS.items()]}
QUOTA_RESOURCES = tuple(_QUOTAS)
