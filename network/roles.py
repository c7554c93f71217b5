"""The roles that a network agent may have. Clients see each as an agent of its own, under its OpenStack name."""

import ipaddress

BRIDGE, DHCP, L3 = "Linux bridge agent", "DHCP agent", "L3 agent"
# Owners of a router's ports in the networks that it connects: of one on a host, and of one on every host with guests.
INTERFACE, DISTRIBUTED = "network:router_interface", "network:router_interface_distributed"
INTERFACES = (INTERFACE, DISTRIBUTED)
# A distributed router's ports in the same networks, on the host that carries its gateway.
CENTRAL = "network:router_centralized_snat"
GATEWAY, FLOATING, DHCP_PORT = "network:router_gateway", "network:floatingip", "network:dhcp"
ROUTER_PORTS = (*INTERFACES, CENTRAL, GATEWAY)
# What a port is to this service (``db/ports.py``) when it is a server's interface.
SERVER = "compute"
BINARIES = {BRIDGE: "neutron-linuxbridge-agent", DHCP: "neutron-dhcp-agent", L3: "neutron-l3-agent"}


def of(conf) -> dict:
    """What an agent with this configuration does, as it reports it. ``tunneling_ip``: its end of tunnels, or None."""
    address = conf.network.tunnel_ip or conf.my_ip
    return {"roles": [BRIDGE, *([DHCP, L3] if conf.network.serves else [])], "tunnel_types": ["vxlan"],
            "tunneling_ip": None if ipaddress.ip_address(address).is_loopback else address,
            "agent_mode": "dvr_snat" if conf.network.serves else "dvr"}
