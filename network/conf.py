"""Options of the network service and its agent."""

from oslo_config import cfg

_QUOTAS = {"network": 100, "subnet": 100, "port": 500, "router": 10, "floatingip": 50, "security_group": 10,
           "security_group_rule": 100, "subnetpool": 50}
OPTS = {"network": [
    cfg.StrOpt("driver", default="linux", choices=["linux", "fake"], help="How the agent implements networks."),
    cfg.DictOpt("bridge_mappings", default={"public": "br-ex"},
                help="Physical networks, each with the existing bridge of this host that connects to it."),
    cfg.BoolOpt("serves", default=True, help="This host serves DHCP and hosts routers; false: guests only."),
    cfg.StrOpt("tunnel_ip", default="", help="Address of this host's end of VXLAN tunnels; empty: my_ip, unless "
                                             "that is a loopback address."),
    cfg.IntOpt("mtu", default=1500, min=576, max=9216, help="MTU of new networks."),
    cfg.IntOpt("dhcp_lease_s", default=86400, min=120, help="Lease time, seconds. Short leases load dnsmasq."),
    cfg.StrOpt("dns_domain", default="pileus.internal", help="Domain sent to guests by DHCP."),
    cfg.ListOpt("dns_servers", default=[],
                help="DNS servers for subnets without dns_nameservers; empty: dnsmasq forwards queries."),
    cfg.StrOpt("metadata_secret", default="", secret=True,
               help="Shared with compute-api; signs the identity of the server in metadata requests."),
    cfg.IntOpt("metering_interval_s", default=60, min=1, help="Seconds between reports of metered traffic."),
    cfg.BoolOpt("failover", default=True,
                help="Move DHCP and routers of a silent host to another host. A host that is only disconnected from the bus "
                     "continues to serve meanwhile."),
    cfg.IntOpt("plug_timeout_s", default=30, min=1, help="Time limit for an agent to plug a port, in seconds."),
], "quota": [cfg.IntOpt(name, default=value, min=-1, help=f"Most {name}s of a project; -1: no limit.")
             for name, value in _QUOTAS.items()]}
QUOTA_RESOURCES = tuple(_QUOTAS)
