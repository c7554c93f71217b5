"""What guests can reach of the host, its routers and its DHCP servers.

On the host, only answers to connections that the host opened. That applies to its addresses on all bridges, and to the cloud's
other hosts, to which it would route. VXLAN is accepted from known hosts only. The namespaces of routers and DHCP servers accept
only what they serve.
"""

GUESTS = "pileus-host"
HOSTS = {4: "pileus4-hosts", 6: "pileus6-hosts"}
VXLAN_PORT = 4789
# Bridge ports of guests and of routers have such names.
_FROM_TAP = "-m physdev --physdev-in tap+"


def host_rules(version: int, tunnels: bool) -> tuple[list[str], list[str]]:
    """iptables rules of the host's own chains: (those at the start of pileus-FORWARD, all others).

    :param tunnels: other hosts are known, and have tunnels to this one
    """
    forward = ["-A pileus-FORWARD -i brq+ -m physdev ! --physdev-is-bridged -j DROP",
               f"-A pileus-FORWARD {_FROM_TAP} ! --physdev-is-bridged -m set --match-set {HOSTS[version]} dst -j {GUESTS}"]
    rules = [*[f"-A pileus-INPUT -i {name}+ -j DROP" for name in ("brq", "vxl", "tap")],
             f"-A pileus-INPUT {_FROM_TAP} -j {GUESTS}"]
    if tunnels:
        rules.append(f"-A pileus-INPUT -p udp -m udp --dport {VXLAN_PORT} -m set ! --match-set {HOSTS[version]} src -j DROP")
    rules.append(f"-A {GUESTS} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT")
    # External gateways answer echo requests, by which guests (and Tempest) test connectivity.
    echo = "icmp -m icmp --icmp-type 8" if version == 4 else "ipv6-icmp -m icmp6 --icmpv6-type 128"
    rules.append(f"-A {GUESTS} -p {echo} -j ACCEPT")
    if version == 6:
        rules += [f"-A {GUESTS} -p ipv6-icmp -m icmp6 --icmpv6-type {kind} -j ACCEPT" for kind in (135, 136)]
    return forward, [*rules, f"-A {GUESTS} -j DROP"]


def _table(forward: str, accepted: list[str]) -> str:
    lines = ["table inet pileus {}", "delete table inet pileus", "table inet pileus {",
             " chain input {", "  type filter hook input priority 0; policy drop;",
             "  ct state established,related accept", "  iifname \"lo\" accept",
             "  icmp type echo-request accept",
             "  icmpv6 type { echo-request, nd-neighbor-solicit, nd-neighbor-advert, nd-router-solicit, "
             "mld-listener-query } accept",
             *[f"  {line} accept" for line in accepted], " }",
             " chain forward {", f"  type filter hook forward priority 0; policy {forward};", " }", "}", ""]
    return "\n".join(lines)


def router(metadata_port: int) -> str:
    """nft input for a router's namespace: forwards, answers pings, and redirects requests to the metadata address."""
    return _table("accept", [f"iifname \"qr-*\" tcp dport {metadata_port} ct status dnat"])


def dhcp(metadata_ip: str) -> str:
    """nft input for a DHCP server's namespace: DHCP, DNS and metadata, no forwarding."""
    return _table("drop", ["udp dport { 53, 67, 547 }", "tcp dport 53", f"ip daddr {metadata_ip} tcp dport 80"])
