"""The roles of a network agent. The API shows each as an agent of its own, with its OpenStack name."""

import ipaddress

BRIDGE, DHCP, L3 = "Linux bridge agent", "DHCP agent", "L3 agent"
# Device owners of a router's interfaces: of a router on one host, and of a distributed one.
INTERFACE, DISTRIBUTED = "network:router_interface", "network:router_interface_distributed"
INTERFACES = (INTERFACE, DISTRIBUTED)
# Ports of a distributed router in the same networks, on the host of its gateway.
CENTRAL = "network:router_centralized_snat"
GATEWAY, FLOATING, DHCP_PORT = "network:router_gateway", "network:floatingip", "network:dhcp"
ROUTER_PORTS = (*INTERFACES, CENTRAL, GATEWAY)
# The relation (``db/ports.py``) of a server's interface.
SERVER = "compute"
BINARIES = {BRIDGE: "neutron-linuxbridge-agent", DHCP: "neutron-dhcp-agent", L3: "neutron-l3-agent"}


def of(conf) -> dict:
    """The roles of an agent with this configuration, as it reports them.

    :param tunneling_ip: its end of tunnels, or None
    """
    address = conf.network.tunnel_ip or conf.my_ip
    return {"roles": [BRIDGE, *([DHCP, L3] if conf.network.serves else [])], "tunnel_types": ["vxlan"],
            "tunneling_ip": None if ipaddress.ip_address(address).is_loopback else address,
            "agent_mode": "dvr_snat" if conf.network.serves else "dvr"}
