"""Protocol numbers and addresses used by the API and the agents."""

import ipaddress

# Protocol names of the API, and their numbers. Source: IANA protocol numbers.
PROTOCOLS = {"tcp": 6, "udp": 17, "icmp": 1, "icmpv6": 58, "ipv6-icmp": 58, "sctp": 132, "dccp": 33, "udplite": 136,
             "ah": 51, "esp": 50, "gre": 47, "igmp": 2, "ospf": 89, "pgm": 113, "rsvp": 46, "vrrp": 112, "egp": 8,
             "ipip": 4, "ipv6-encap": 41, "ipv6-frag": 44, "ipv6-nonxt": 59, "ipv6-opts": 60, "ipv6-route": 43}


def slaac(cidr: str, mac: str) -> str:
    """The EUI-64 address of a MAC in a prefix (RFC 4291, appendix A)."""
    parts = [int(p, 16) for p in mac.split(":")]
    suffix = int.from_bytes(bytes([parts[0] ^ 2, *parts[1:3], 0xFF, 0xFE, *parts[3:]]), "big")
    return str(ipaddress.IPv6Address(int(ipaddress.ip_network(cidr)[0]) + suffix))
