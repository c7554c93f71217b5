"""Filters for what guests send, frame by frame at their taps, before the bridge learns from it.

nftables in the bridge family, without connection tracking. Everything not allowed here is dropped: Ethernet types other than ARP,
IPv4 and IPv6 (including VLAN tags, spanning tree and other LLC), foreign source addresses, DHCP server responses, router
advertisements and redirects, and neighbour advertisements for foreign addresses.
"""

import ipaddress

from network.agent.links import tap_name
from network.protocols import slaac

# Ethernet types as numbers: nft's keywords would check VLAN tags differently.
_ARP, _IPV4, _IPV6 = "0x0806", "0x0800", "0x86dd"
_HEADERS = ["table bridge pileus {}", "delete table bridge pileus", "table bridge pileus {"]


def _ranges(networks: list[str], version: int) -> list[str]:
    """Merge networks, because elements of sets must not overlap."""
    found: list = [n for n in map(ipaddress.ip_network, networks) if n.version == version]
    return [str(n.network_address) if n.prefixlen == n.max_prefixlen else str(n) for n in ipaddress.collapse_addresses(found)]


def _targets(networks: list[str]) -> list[str]:
    """As 128-bit numbers: nft has no name for the target of a neighbour advertisement."""
    nets = ipaddress.collapse_addresses(n for n in map(ipaddress.ip_network, networks) if n.version == 6)
    return [f"0x{int(n[0]):032x}" if n.prefixlen == 128 else f"0x{int(n[0]):032x}-0x{int(n[-1]):032x}" for n in nets]


def _set(members: list[str]) -> str:
    return f"{{ {', '.join(members)} }}"


def sources(port: dict) -> dict[str, list[str]]:
    """{MAC: networks} that a port may send from, including each MAC's link-local address."""
    found: dict[str, list[str]] = {port["mac_address"]: [ip["ip_address"] for ip in port["fixed_ips"]]}
    for pair in port["allowed_address_pairs"]:
        found.setdefault(pair["mac_address"], []).append(pair["ip_address"])
    return {m: [*networks, slaac("fe80::/64", m)] for m, networks in sorted(found.items())}


def _of_source(chain: str, mac: str, networks: list[str]) -> list[str]:
    """Rules for the frames of one MAC."""
    own = f"  ether saddr {mac}"
    v4, v6 = _ranges(networks, 4), _ranges(networks, 6)
    lines = [f"{own} ether type {_ARP} arp htype 1 arp ptype 0x0800 arp hlen 6 arp plen 4 arp operation {{ 1, 2 }} "
             f"arp saddr ether {mac} arp saddr ip {_set(v4)} accept"] if v4 else []
    # RFC 5227: an ARP probe has no sender address.
    lines.append(f"{own} ether type {_ARP} arp htype 1 arp ptype 0x0800 arp hlen 6 arp plen 4 arp operation 1 "
                 f"arp saddr ether {mac} arp saddr ip 0.0.0.0 accept")
    lines += [f"{own} ether type {_IPV4} ip saddr {_set(v4)} accept"] if v4 else []
    lines.append(f"{own} ether type {_IPV4} ip saddr 0.0.0.0 ip daddr 255.255.255.255 udp sport 68 udp dport 67 accept")
    lines += [f"{own} ether type {_IPV6} icmpv6 type 136 @th,64,128 {_set(_targets(networks))} goto sender6-{chain}",
              f"{own} ether type {_IPV6} icmpv6 type 136 drop",
              f"{own} ether type {_IPV6} ip6 saddr {_set(v6)} accept",
              # Duplicate address detection and multicast listening, before there is an address.
              f"{own} ether type {_IPV6} ip6 saddr :: icmpv6 type {{ 131, 132, 135, 143 }} accept"]
    return lines


def table(ports: list[dict]) -> str:
    """nft input for parsed local ports; those without port security are not filtered, closed ones are blocked."""
    secured = [p for p in ports if p["port_security_enabled"] and not p["closed"]]
    shut = [tap_name(p["id"]) for p in ports if p["closed"]]
    lines = list(_HEADERS)
    for port in secured:
        short, by_mac = port["id"][:11], sources(port)
        everything = _ranges([n for networks in by_mac.values() for n in networks], 6)
        lines += [f" chain sender6-{short} {{", f"  ip6 saddr {_set(everything)} accept", "  drop", " }",
                  f" chain from-{short} {{",
                  f"  ether type {_IPV4} udp dport 68 drop", f"  ether type {_IPV4} udp sport 67 drop",
                  f"  ether type {_IPV6} udp dport 546 drop", f"  ether type {_IPV6} udp sport 547 drop",
                  f"  ether type {_IPV6} icmpv6 type {{ 134, 137 }} drop"]
        for mac, networks in by_mac.items():
            lines += _of_source(short, mac, networks)
        lines += ["  drop", " }"]
    verdicts = [f"\"{tap_name(p['id'])}\" : jump from-{p['id'][:11]}" for p in secured]
    verdicts += [f"\"{tap}\" : drop" for tap in shut]
    # Frames of link-local protocols such as spanning tree bypass the first hook.
    for hook in ("prerouting", "input"):
        lines += [f" chain {hook} {{", f"  type filter hook {hook} priority -300; policy accept;",
                  *([f"  iifname vmap {_set(verdicts)}"] if verdicts else []), " }"]
    for hook in ("forward", "output") if shut else ():
        drops = _set([f'"{tap}"' for tap in shut])
        lines += [f" chain to-closed-{hook} {{", f"  type filter hook {hook} priority -300; policy accept;",
                  f"  oifname {drops} drop", " }"]
    return "\n".join([*lines, "}", ""])
