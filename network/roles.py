"""The roles that a network agent may have. Clients see each as an agent of its own, under its OpenStack name."""

import ipaddress

BRIDGE, DHCP, L3 = "Linux bridge agent", "DHCP agent", "L3 agent"
BINARIES = {BRIDGE: "neutron-linuxbridge-agent", DHCP: "neutron-dhcp-agent", L3: "neutron-l3-agent"}


def of(conf) -> dict:
    """What an agent with this configuration does, as it reports it. ``tunneling_ip``: its end of tunnels, or None."""
    address = conf.network.tunnel_ip or conf.my_ip
    return {"roles": [BRIDGE, *([DHCP, L3] if conf.network.serves else [])], "tunnel_types": ["vxlan"],
            "tunneling_ip": None if ipaddress.ip_address(address).is_loopback else address, "agent_mode": "legacy"}
