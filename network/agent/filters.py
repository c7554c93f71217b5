"""Packet filters of guests: anti-spoofing and security groups.

Ethernet frames are checked by nftables in the bridge family (``ethernet.py``), which needs no connection tracking. Stateful rules
are iptables rules on bridged packets (br_netfilter): per port, a chain for what it sends (``o``) and one for what it receives
(``i``). Members of groups are ipset sets, so that a rule costs the same for 5 and 500 members. All is rendered from the parsed
state, tested, and loaded in one transaction per table. A port whose rules are refused is closed, without affecting others.
"""

import collections
import hashlib
import json
import logging
import subprocess
import time

from common import errors
from network.agent import connections, ethernet, guard, parsing
from network.agent.links import bridge_name, tap_name
from network.protocols import slaac

LOG = logging.getLogger(__name__)
_RUN = {4: ("iptables", "iptables-restore", "iptables-save"), 6: ("ip6tables", "ip6tables-restore", "ip6tables-save")}
_HOOKS = (("filter", "FORWARD"), ("filter", "INPUT"), ("raw", "PREROUTING"))
_OWN = {"pileus-FORWARD", "pileus-INPUT", guard.GUESTS}


def run(*words: str, stdin: str | None = None, check: bool = True) -> str:
    done = subprocess.run(words, input=stdin, capture_output=True, text=True, timeout=30)
    if check and done.returncode:
        raise errors.StepFailed(reason="The packet filter of the host refused a change.",
                                internal=f"{words[0]}: {done.stderr.strip()[:2000]}")
    return done.stdout


def zone(network_id: str) -> int:
    """A connection-tracking zone per network, because projects may use the same addresses."""
    return int(hashlib.sha1(network_id.encode(), usedforsecurity=False).hexdigest()[:4], 16) % 65534 + 1


def set_name(group_id: str, version: int) -> str:
    return f"pileus{version}-{group_id.replace('-', '')[:20]}"


def rule_match(rule: dict, version: int) -> list[str] | None:
    """The matches of a parsed rule, or None if it does not apply to this IP version."""
    if rule["version"] != version:
        return None
    words = []
    side, set_side = ("-s", "src") if rule["direction"] == "ingress" else ("-d", "dst")
    if rule["remote_ip_prefix"] and not rule["remote_ip_prefix"].endswith("/0"):
        words += [side, rule["remote_ip_prefix"]]
    if rule["remote_group_id"]:
        words += ["-m", "set", "--match-set", set_name(rule["remote_group_id"], version), set_side]
    protocol, low, high = rule["protocol"], rule["port_range_min"], rule["port_range_max"]
    if protocol is None:
        return words
    if protocol in parsing.ICMP:
        name, module, option = ("icmp", "icmp", "--icmp-type") if version == 4 else ("ipv6-icmp", "icmp6", "--icmpv6-type")
        words += ["-p", name]
        if low is not None:
            words += ["-m", module, option, str(low) + (f"/{high}" if high is not None else "")]
        return words
    words += ["-p", str(protocol)]
    if low is not None:
        words += ["-m", "multiport", "--dports", f"{low}:{high}" if low != high else str(low)]
    return words


def set_lines(name: str, kind: str, members: list[str], known: list[str] | None) -> list[str]:
    """ipset-restore input that sets the content of a set to ``members``.

    Only differences are added and deleted, so that the cost of one more member does not depend on the group's size. If the
    current content is unknown (None), a second set is filled and swapped, so that no set is ever incomplete.
    """
    if known is not None:
        return [f"add {name} {m} -exist" for m in sorted(set(members) - set(known))] + \
               [f"del {name} {m} -exist" for m in sorted(set(known) - set(members))]
    return [f"create {name} {kind} -exist", f"create pileus-tmp {kind} -exist", "flush pileus-tmp",
            *[f"add pileus-tmp {m} -exist" for m in members], f"swap pileus-tmp {name}", "destroy pileus-tmp"]


def wanted_sets(state: dict) -> dict[str, tuple[str, list[str]]]:
    """{name: (kind, members)} of the groups that rules refer to, and of the cloud's hosts."""
    sets = {set_name(group_id, version): (version, group["members"]) for group_id, group in state["groups"].items()
            if "members" in group for version in (4, 6)}
    hosts = {*(state.get("hosts") or []), *(ip for n in state["networks"] for ip in n["peers"])}
    sets |= {name: (version, hosts) for version, name in guard.HOSTS.items()}
    return {name: (f"hash:ip family inet{'6' if version == 6 else ''}",
                   sorted(m for m in members if (":" in m) == (version == 6)))
            for name, (version, members) in sets.items()}


# Text of one port --------------------------------------------------------------


def port_chains(port: dict) -> set[str]:
    return {f"pileus-{kind}{port['id'][:11]}" for kind in "ios"}


def port_rules(port: dict, state: dict, version: int) -> list[str]:
    """The content of a port's chains."""
    return _egress(port, state, version) + _ingress(port, state, version)


def _egress(port: dict, state: dict, version: int) -> list[str]:
    """The chain for what a guest sends. RETURN continues with the receiver's chain."""
    chain = f"-A pileus-o{port['id'][:11]}"
    lines = []
    if version == 4:
        lines += [f"{chain} -s 0.0.0.0/32 -d 255.255.255.255/32 -p udp --sport 68 --dport 67 -j RETURN",
                  f"{chain} -p udp --sport 67 --dport 68 -j DROP"]
    else:
        lines += [f"{chain} -p ipv6-icmp -m icmp6 --icmpv6-type 134 -j DROP",
                  f"{chain} -s ::/128 -p ipv6-icmp -j RETURN", f"{chain} -p udp --sport 547 --dport 546 -j DROP"]
    spoof = f"pileus-s{port['id'][:11]}"
    checks = [f"-A {spoof} -s {a} -m mac --mac-source {m} -j RETURN" for m, found in ethernet.sources(port).items()
              for a in dict.fromkeys(found) if (":" in a) == (version == 6)]
    lines.append(f"{chain} -j {spoof}")
    lines += [f"{chain} -m conntrack --ctstate RELATED,ESTABLISHED -j RETURN",
              f"{chain} -m conntrack --ctstate INVALID -j DROP"]
    if version == 6:
        # What a host must send to get an address: multicast listening, solicitations, neighbour discovery, DHCPv6.
        lines += [f"{chain} -p ipv6-icmp -m icmp6 --icmpv6-type {t} -j RETURN" for t in (131, 132, 133, 135, 136, 143)]
        lines.append(f"{chain} -p udp --sport 546 --dport 547 -j RETURN")
    lines += _group_rules(port, state, version, "egress", chain, "RETURN")
    return [*checks, f"-A {spoof} -j DROP", *lines, f"{chain} -j DROP"]


def _ingress(port: dict, state: dict, version: int) -> list[str]:
    chain = f"-A pileus-i{port['id'][:11]}"
    lines = [f"{chain} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT"]
    dhcp = [n["dhcp_port"] for n in state["networks"] if n["id"] == port["network_id"] and n["dhcp_port"]]
    if version == 4:
        servers = [ip["ip_address"] for server in dhcp for ip in server["fixed_ips"] if ":" not in ip["ip_address"]]
        lines += [f"{chain} -s {s}/32 -p udp --sport 67 --dport 68 -j ACCEPT" for s in servers]
    else:
        lines += [f"{chain} -p ipv6-icmp -m icmp6 --icmpv6-type {t} -j ACCEPT" for t in (130, 134, 135, 136)]
        lines += [f"{chain} -s {slaac('fe80::/64', server['mac_address'])}/128 -p udp --sport 547 --dport 546 -j ACCEPT"
                  for server in dhcp]
    lines.append(f"{chain} -m conntrack --ctstate INVALID -j DROP")
    lines += _group_rules(port, state, version, "ingress", chain, "ACCEPT")
    return [*lines, f"{chain} -j DROP"]


def _group_rules(port, state, version, direction, chain, target) -> list[str]:
    lines = []
    for group_id in port["security_groups"]:
        for rule in state["groups"].get(group_id, {"rules": []})["rules"]:
            remote = rule["remote_group_id"]
            if rule["direction"] != direction or remote and "members" not in state["groups"].get(remote, {}):
                continue
            match = rule_match(rule, version)
            if match is not None:
                lines.append(" ".join([chain, *match, "-j", target]))
    return list(dict.fromkeys(lines))


def _rules_of(key: str, text: str) -> collections.Counter:
    """{chain of ours: number of rules} in an iptables text, or for the key "bridge" an nft text."""
    if key != "bridge":
        return collections.Counter(line.split()[1] for line in text.splitlines() if line.startswith("-A pileus-"))
    found: collections.Counter = collections.Counter()
    chain = ""
    for words in map(str.split, text.splitlines()):
        if words[:1] == ["chain"]:
            chain = words[1]
        elif words and words[0] not in ("table", "delete", "type", "}"):
            found[chain] += 1
    return found


def culprits(ports: list[dict], accepted) -> list[dict]:
    """Find the ports whose rules are refused by bisection: few among many need few tests."""
    if not ports or accepted(ports):
        return []
    if len(ports) == 1:
        return ports
    middle = len(ports) // 2
    return culprits(ports[:middle], accepted) + culprits(ports[middle:], accepted)


class Filters:
    CHECK_EVERY_S = 55.0

    def __init__(self):
        self._wanted_sets: dict[str, tuple[str, list[str]]] = {}
        self._loaded: dict[str, str] = {}
        self._checked = 0.0
        self._chains: dict[int, set[str]] = {}
        self._sets: set[str] | None = None
        self._filled: dict[str, list[str]] = {}  # what this process has put into each set
        self._refused: dict[str, str] = {}  # {port id: its text that a program refused}
        self._allowed: connections.Allowed | None = None  # by what is loaded

    # Text -------------------------------------------------------------------

    def text(self, state: dict, version: int) -> tuple[str, set[str]]:
        """iptables-restore input for one IP version, and the chains that it declares."""
        ports = [p for p in state["ports"] if p["port_security_enabled"] and not p["closed"]]
        forward, rules = guard.host_rules(version, "hosts" in state)
        chains = _OWN.union(*map(port_chains, ports))
        for port in ports:
            forward.append(f"-A pileus-FORWARD -m physdev --physdev-in {tap_name(port['id'])} --physdev-is-bridged "
                           f"-j pileus-o{port['id'][:11]}")
            rules += port_rules(port, state, version)
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

    def texts(self, state: dict) -> dict[str, str]:
        """{"ip4", "ip6", "bridge": what is loaded}."""
        return {**{f"ip{v}": self.text(state, v)[0] for v in (4, 6)}, "bridge": ethernet.table(state["ports"])}

    # Loading ----------------------------------------------------------------

    def apply(self, state: dict, *, check: bool = False) -> dict[str, str]:
        """Load what has changed since the last call, or was changed by another program.

        :param state: parsed; its ports are those of this host
        :param check: ask the kernel whether the rules are still loaded, unless it was asked recently
        :returns: {port id: reason} of ports whose rules are refused: they are closed
        :raises StepFailed: the kernel's filters are unchanged
        """
        self._wanted_sets = wanted_sets(state)
        if not self._chains:
            self._chains = {v: self._existing_chains(v) for v in (4, 6)}
        if check and time.monotonic() - self._checked > self.CHECK_EVERY_S:
            self._forget_changed()
            self._refused = {}  # each is retried: locks or memory may have been short
        self._load_sets()
        self._refused = {i: text for i, text in self._refused.items() if i in {p["id"] for p in state["ports"]}}
        refused = {p["id"] for p in state["ports"] if p["id"] in self._refused and not p["closed"]
                   and self._refused[p["id"]] == self._own_text(p, state)}
        state = self._without(state, refused)
        texts = self.texts(state)
        if not all(self._accepted(key, text) for key, text in texts.items()):
            refused |= self._find_refused(state)
            state = self._without(state, refused)
            texts = self.texts(state)
        # Frames first: closed ports are closed there.
        for key in ("bridge", "ip4", "ip6"):
            self._load(key, texts[key])
        for version in (4, 6):
            self._hook(version)
            self._chains[version] = self.text(state, version)[1]
        self._drop_sets()
        self._end_connections(state)
        return dict.fromkeys(refused, "the host's packet filter refuses its rules")

    def _end_connections(self, state: dict) -> None:
        """End established connections that the filters allowed and no longer do.

        What fails is repeated by the next call: the filters are loaded, and new ports need not wait for it.
        """
        now = connections.allowed(state, zone, lambda port: [] if port["closed"] else [
            line for v in (4, 6) for line in port_rules(port, state, v)])
        before = now if self._allowed is None else self._allowed
        self._allowed = now if connections.forget(connections.ended(before, now)) else connections.unended(before, now)

    @staticmethod
    def _without(state: dict, refused: set[str]) -> dict:
        return {**state, "ports": [parsing.closed(p) if p["id"] in refused else p for p in state["ports"]]}

    def _own_text(self, port: dict, state: dict) -> str:
        return "\n".join([*(line for v in (4, 6) for line in port_rules(port, state, v)), ethernet.table([port])])

    def _find_refused(self, state: dict) -> set[str]:
        """:raises StepFailed: what is refused is not a port's text"""
        def accepted(ports: list[dict]) -> bool:
            return all(self._accepted(key, text) for key, text in self.texts({**state, "ports": ports}).items())
        if not accepted([]):
            raise errors.StepFailed(reason="The host's packet filter refuses to be changed.")
        found = culprits([p for p in state["ports"] if not p["closed"]], accepted)
        for port in found:
            LOG.error("port %s is closed: the packet filter of the host refuses its rules", port["id"])
            self._refused[port["id"]] = self._own_text(port, state)
        return {p["id"] for p in found}

    def _accepted(self, key: str, text: str) -> bool:
        """Whether a program would load it. Changes nothing."""
        if self._loaded.get(key) == text:
            return True
        words = ["nft", "-c", "-f", "-"] if key == "bridge" else [_RUN[int(key[2])][1], "--test", "--noflush", "-w", "10"]
        done = subprocess.run(words, input=text, capture_output=True, text=True, timeout=60)
        if done.returncode:
            LOG.warning("%s failed: %s", words[0], done.stderr.strip()[:500])
        return not done.returncode

    def _load(self, key: str, text: str) -> None:
        if self._loaded.get(key) == text:
            return
        self._loaded.pop(key, None)
        run(*(["nft", "-f", "-"] if key == "bridge" else [_RUN[int(key[2])][1], "--noflush", "-w", "10"]), stdin=text)
        self._loaded[key] = text

    @staticmethod
    def _rules_in_kernel(key: str) -> collections.Counter:
        """{chain of ours: number of rules in the kernel}."""
        if key == "bridge":
            listed = run("nft", "-j", "list", "table", "bridge", "pileus", check=False)
            return collections.Counter(x["rule"]["chain"] for x in json.loads(listed or '{"nftables": []}')["nftables"]
                                       if "rule" in x)
        return _rules_of(key, run(_RUN[int(key[2])][2], check=False))

    def _forget_changed(self) -> None:
        """Reload rules that another program has flushed or changed."""
        for key, text in list(self._loaded.items()):
            if self._rules_in_kernel(key) != _rules_of(key, text):
                LOG.warning("another program changed the packet filter %s; loading it again", key)
                del self._loaded[key]
        have = set(run("ipset", "list", "-n", check=False).split())
        if self._sets and not self._sets <= have:
            self._sets, self._filled, self._loaded = None, {}, {}
        self._checked = time.monotonic()

    @staticmethod
    def _existing_chains(version: int) -> set[str]:
        saved = run(_RUN[version][2], "-t", "filter", check=False)
        return {line[1:].split()[0] for line in saved.splitlines() if line.startswith(":pileus-")}

    @staticmethod
    def _hook(version: int) -> None:
        for table, chain in _HOOKS:
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
        """Remove all rules of this module from the kernel."""
        for version in (4, 6):
            for table, chain in _HOOKS:
                run(_RUN[version][0], "-w", "10", "-t", table, "-D", chain, "-j", f"pileus-{chain}", check=False)
            chains = self._existing_chains(version)
            text = ["*filter", *[f":{c} - [0:0]" for c in chains], *[f"-X {c}" for c in chains], "COMMIT", "*raw",
                    ":pileus-PREROUTING - [0:0]", "-X pileus-PREROUTING", "COMMIT", ""]
            run(_RUN[version][1], "--noflush", "-w", "10", stdin="\n".join(text), check=False)
        run("nft", "delete", "table", "bridge", "pileus", check=False)
        for name in run("ipset", "list", "-n", check=False).split():
            if name.startswith("pileus"):
                run("ipset", "destroy", name, check=False)
