"""Packet filters of guests: anti-spoofing and security groups.

Two tools, as the kernel divides the work. Ethernet and ARP are checked by
nftables in the bridge family, which needs no connection tracking. Stateful
rules run in iptables on bridged packets (br_netfilter): per port a chain for
what it sends (``o``) and one for what it gets (``i``); members of groups are
ipset sets, so a rule costs the same with 5 and with 500 of them. The whole
text is made from the state and loaded in one transaction per table.
"""

import hashlib
import ipaddress
import logging
import subprocess

from common import errors
from network.agent.links import bridge_name, tap_name
from network.protocols import PROTOCOLS, slaac

LOG = logging.getLogger(__name__)
_PORTED = {"tcp", "udp", "sctp", "dccp", "udplite", "6", "17", "132", "33", "136"}
_RUN = {4: ("iptables", "iptables-restore", "iptables-save"), 6: ("ip6tables", "ip6tables-restore", "ip6tables-save")}


def run(*words: str, stdin: str | None = None, check: bool = True) -> str:
    done = subprocess.run(words, input=stdin, capture_output=True, text=True, timeout=30)
    if check and done.returncode:
        raise errors.StepFailed(reason="The packet filter of the host refused a change.",
                                internal=f"{words[0]}: {done.stderr.strip()[:2000]}")
    return done.stdout


def zone(network_id: str) -> int:
    """A connection-tracking zone per network: projects may use the same addresses."""
    return int(hashlib.sha1(network_id.encode(), usedforsecurity=False).hexdigest()[:4], 16) % 65534 + 1


def set_name(group_id: str, version: int) -> str:
    return f"pileus{version}-{group_id.replace('-', '')[:20]}"


def _rule_match(rule: dict, version: int) -> list[str] | None:
    """The matches of one rule, or None where it cannot apply to this IP version."""
    if rule["ethertype"] != f"IPv{version}":
        return None
    words = []
    side, set_side = ("-s", "src") if rule["direction"] == "ingress" else ("-d", "dst")
    if rule["remote_ip_prefix"]:
        net = ipaddress.ip_network(rule["remote_ip_prefix"])
        if net.prefixlen:
            words += [side, str(net)]
    if rule["remote_group_id"]:
        words += ["-m", "set", "--match-set", set_name(rule["remote_group_id"], version), set_side]
    protocol, low, high = rule["protocol"], rule["port_range_min"], rule["port_range_max"]
    if protocol is None:
        return words
    if protocol in ("icmp", "icmpv6", "ipv6-icmp", "1", "58"):
        name, option = ("icmp", "--icmp-type") if version == 4 else ("ipv6-icmp", "--icmpv6-type")
        words += ["-p", name]
        if low is not None:
            words += ["-m", name.replace("ipv6-icmp", "icmp6"), option, str(low) + (f"/{high}" if high is not None else "")]
        return words
    number = str(PROTOCOLS.get(protocol, protocol))
    words += ["-p", number]
    if low is not None and protocol in _PORTED:
        words += ["-m", "multiport", "--dports", f"{low}:{high}" if low != high else str(low)]
    return words


def set_lines(name: str, kind: str, members: list[str], known: list[str] | None) -> list[str]:
    """ipset-restore input that makes ``members`` a set's content.

    What changed is added and taken out, so that one more member costs the same in a group of 5 and of 500. A set whose
    content is not known (None) is filled under a second name and swapped: no set is ever half full.
    """
    if known is not None:
        return [f"add {name} {m} -exist" for m in sorted(set(members) - set(known))] + \
               [f"del {name} {m} -exist" for m in sorted(set(known) - set(members))]
    return [f"create {name} {kind} -exist", f"create pileus-tmp {kind} -exist", "flush pileus-tmp",
            *[f"add pileus-tmp {m} -exist" for m in members], f"swap pileus-tmp {name}", "destroy pileus-tmp"]


class Filters:
    def __init__(self):
        self._wanted_sets: dict[str, tuple[str, list[str]]] = {}
        self._loaded: dict[str, str] = {}
        self._chains: dict[int, set[str]] = {}
        self._sets: set[str] | None = None
        self._filled: dict[str, list[str]] = {}  # what this process has put into each set

    # Text -------------------------------------------------------------------

    def text(self, state: dict, version: int) -> tuple[str, set[str]]:
        """iptables-restore input for one IP version, and the chains that it declares."""
        forward, chains, rules = [], {"pileus-FORWARD", "pileus-INPUT"}, []
        ports = [p for p in state["ports"] if p["port_security_enabled"]]
        for port in ports:
            tap, short = tap_name(port["id"]), port["id"][:11]
            chains |= {f"pileus-i{short}", f"pileus-o{short}", f"pileus-s{short}"}
            forward.append(f"-A pileus-FORWARD -m physdev --physdev-in {tap} --physdev-is-bridged -j pileus-o{short}")
            rules.append(f"-A pileus-INPUT -m physdev --physdev-in {tap} -j pileus-o{short}")
            rules += self._egress(port, state, version) + self._ingress(port, state, version)
        forward += [f"-A pileus-FORWARD -m physdev --physdev-out {tap_name(p['id'])} --physdev-is-bridged "
                    f"-j pileus-i{p['id'][:11]}" for p in ports]
        forward += [f"-A pileus-FORWARD -i {bridge_name(n['id'])} -m physdev --physdev-is-bridged -j ACCEPT"
                    for n in state["networks"] if not n["physical"]]
        stale = self._chains.get(version, set()) - chains
        lines = ["*filter", *[f":{c} - [0:0]" for c in sorted(chains | stale)], *forward, *rules,
                 *[f"-X {c}" for c in sorted(stale)], "COMMIT", "*raw", ":pileus-PREROUTING - [0:0]"]
        lines += [f"-A pileus-PREROUTING -i {bridge_name(n['id'])} -j CT --zone {zone(n['id'])}"
                  for n in state["networks"] if not n["physical"]]
        return "\n".join([*lines, "COMMIT", ""]), chains

    def _egress(self, port: dict, state: dict, version: int) -> list[str]:
        """What a guest sends. RETURN passes on to the receiver's chain."""
        chain = f"-A pileus-o{port['id'][:11]}"
        lines = []
        if version == 4:
            lines += [f"{chain} -s 0.0.0.0/32 -d 255.255.255.255/32 -p udp --sport 68 --dport 67 -j RETURN",
                      f"{chain} -p udp --sport 67 --dport 68 -j DROP"]
        else:
            lines += [f"{chain} -p ipv6-icmp -m icmp6 --icmpv6-type 134 -j DROP",
                      f"{chain} -s ::/128 -p ipv6-icmp -j RETURN", f"{chain} -p udp --sport 547 --dport 546 -j DROP"]
        allowed = [(ip["ip_address"], port["mac_address"]) for ip in port["fixed_ips"]]
        allowed += [(p["ip_address"], p["mac_address"]) for p in port["allowed_address_pairs"]]
        sources = [(a, m) for a, m in allowed if ipaddress.ip_network(a, strict=False).version == version]
        if version == 6:
            sources.append((slaac("fe80::/64", port["mac_address"]), port["mac_address"]))
        spoof = f"pileus-s{port['id'][:11]}"
        checks = [f"-A {spoof} -s {a} -m mac --mac-source {m} -j RETURN" for a, m in sources]
        lines.append(f"{chain} -j {spoof}")
        lines += [f"{chain} -m conntrack --ctstate RELATED,ESTABLISHED -j RETURN",
                  f"{chain} -m conntrack --ctstate INVALID -j DROP"]
        if version == 6:
            # What a host must say to have an address: multicast listening, solicitations, neighbours, DHCPv6.
            lines += [f"{chain} -p ipv6-icmp -m icmp6 --icmpv6-type {t} -j RETURN" for t in (131, 132, 133, 135, 136, 143)]
            lines.append(f"{chain} -p udp --sport 546 --dport 547 -j RETURN")
        lines += self._group_rules(port, state, version, "egress", chain, "RETURN")
        return [*checks, f"-A {spoof} -j DROP", *lines, f"{chain} -j DROP"]

    def _ingress(self, port: dict, state: dict, version: int) -> list[str]:
        chain = f"-A pileus-i{port['id'][:11]}"
        lines = [f"{chain} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT"]
        if version == 4:
            servers = [ip["ip_address"] for n in state["networks"] if n["id"] == port["network_id"] and n["dhcp_port"]
                       for ip in n["dhcp_port"]["fixed_ips"] if ":" not in ip["ip_address"]]
            lines += [f"{chain} -s {s}/32 -p udp --sport 67 --dport 68 -j ACCEPT" for s in servers]
        else:
            lines += [f"{chain} -p ipv6-icmp -m icmp6 --icmpv6-type {t} -j ACCEPT" for t in (130, 134, 135, 136)]
            servers = [slaac("fe80::/64", n["dhcp_port"]["mac_address"]) for n in state["networks"]
                       if n["id"] == port["network_id"] and n["dhcp_port"]]
            lines += [f"{chain} -s {s}/128 -p udp --sport 547 --dport 546 -j ACCEPT" for s in servers]
        lines.append(f"{chain} -m conntrack --ctstate INVALID -j DROP")
        lines += self._group_rules(port, state, version, "ingress", chain, "ACCEPT")
        return [*lines, f"{chain} -j DROP"]

    @staticmethod
    def _group_rules(port, state, version, direction, chain, target) -> list[str]:
        lines = []
        for group_id in port["security_groups"]:
            for rule in state["groups"].get(group_id, {"rules": []})["rules"]:
                if rule["direction"] != direction:
                    continue
                try:
                    match = _rule_match(rule, version)
                except ValueError as error:
                    # One rule that cannot be written fails alone, and lets nothing through.
                    LOG.error("rule %s of group %s is left out: %s", rule, group_id, error)
                    continue
                if match is not None:
                    lines.append(" ".join([chain, *match, "-j", target]))
        return list(dict.fromkeys(lines))

    @staticmethod
    def ethernet(state: dict) -> str:
        """nft input: source MACs and ARP senders of each tap."""
        lines = ["table bridge pileus {}", "delete table bridge pileus", "table bridge pileus {",
                 " chain prerouting {", "  type filter hook prerouting priority -300; policy accept;"]
        for port in state["ports"]:
            if not port["port_security_enabled"]:
                continue
            tap = tap_name(port["id"])
            macs = sorted({port["mac_address"], *[p["mac_address"] for p in port["allowed_address_pairs"]]})
            ips = sorted({ip["ip_address"] for ip in port["fixed_ips"]} | {
                p["ip_address"] for p in port["allowed_address_pairs"]})
            ips = [i for i in ips if ":" not in i]
            lines.append(f"  iifname \"{tap}\" ether saddr != {{ {', '.join(macs)} }} drop")
            senders = ", ".join(["0.0.0.0", *ips])
            lines.append(f"  iifname \"{tap}\" ether type arp arp saddr ip != {{ {senders} }} drop")
        return "\n".join([*lines, " }", "}", ""])

    # Loading ----------------------------------------------------------------

    def apply(self, state: dict) -> None:
        """Load what differs from what was loaded last. Sets first: rules refer to them."""
        self._wanted_sets = {}
        for group_id, group in state["groups"].items():
            if "members" in group:
                for version in (4, 6):
                    members = [m for m in group["members"] if (":" in m) == (version == 6)]
                    self._wanted_sets[set_name(group_id, version)] = (
                        f"hash:ip family inet{'6' if version == 6 else ''}", sorted(members))
        if not self._chains:
            self._chains = {v: self._existing_chains(v) for v in (4, 6)}
        texts = {v: self.text(state, v) for v in (4, 6)}
        self._load_sets()
        for version, (text, chains) in texts.items():
            self._load(f"ip{version}", text, _RUN[version][1], "--noflush", "-w", "10")
            self._hook(version)
            self._chains[version] = chains
        self._load("bridge", self.ethernet(state), "nft", "-f", "-")
        self._drop_sets()

    def _load(self, key: str, text: str, *command: str) -> None:
        if self._loaded.get(key) != text:
            run(*command, stdin=text)
            self._loaded[key] = text

    @staticmethod
    def _existing_chains(version: int) -> set[str]:
        saved = run(_RUN[version][2], "-t", "filter", check=False)
        return {line[1:].split()[0] for line in saved.splitlines() if line.startswith(":pileus-")}

    @staticmethod
    def _hook(version: int) -> None:
        for table, chain in (("filter", "FORWARD"), ("filter", "INPUT"), ("raw", "PREROUTING")):
            words = ["-w", "10", "-t", table]
            done = subprocess.run([_RUN[version][0], *words, "-C", chain, "-j", f"pileus-{chain}"], capture_output=True)
            if done.returncode:
                run(_RUN[version][0], *words, "-I", chain, "1", "-j", f"pileus-{chain}")

    def _load_sets(self) -> None:
        if self._sets is None:
            self._sets = {n for n in run("ipset", "list", "-n", check=False).split() if n.startswith("pileus")}
        lines: list[str] = []
        for name, (kind, members) in self._wanted_sets.items():
            lines += set_lines(name, kind, members, self._filled.get(name) if name in self._sets else None)
            self._filled[name] = members
        if lines:
            try:
                run("ipset", "restore", stdin="\n".join(lines) + "\n")
            except errors.Error:
                self._filled.clear()
                raise

    def _drop_sets(self) -> None:
        assert self._sets is not None
        for name in self._sets - set(self._wanted_sets):
            run("ipset", "destroy", name, check=False)
            self._filled.pop(name, None)
        self._sets = set(self._wanted_sets)

    def remove(self) -> None:
        """Take everything out of the kernel that this module put there."""
        for version in (4, 6):
            for table, chain in (("filter", "FORWARD"), ("filter", "INPUT"), ("raw", "PREROUTING")):
                run(_RUN[version][0], "-w", "10", "-t", table, "-D", chain, "-j", f"pileus-{chain}", check=False)
            chains = self._existing_chains(version)
            text = ["*filter", *[f":{c} - [0:0]" for c in chains], *[f"-X {c}" for c in chains], "COMMIT", "*raw",
                    ":pileus-PREROUTING - [0:0]", "-X pileus-PREROUTING", "COMMIT", ""]
            run(_RUN[version][1], "--noflush", "-w", "10", stdin="\n".join(text), check=False)
        run("nft", "delete", "table", "bridge", "pileus", check=False)
        for name in run("ipset", "list", "-n", check=False).split():
            if name.startswith("pileus"):
                run("ipset", "destroy", name, check=False)

