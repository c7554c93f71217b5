"""Connections that the kernel tracks, ended when what allowed them is taken away.

Filters accept packets of established connections before they look at a port's rules, and NAT keeps to the translation that a
connection began with. So a connection would outlive the rule, the group's member or the floating IP that allowed it.
A side that goes on sending begins a new entry if its own rules allow it (``nf_conntrack_tcp_loose``), as guests need that arrive
by live migration.
"""

import errno
import ipaddress
import logging
import socket
from collections.abc import Callable, Iterable
from typing import NamedTuple

from pyroute2 import NFCTSocket
from pyroute2.netlink.exceptions import NetlinkError
from pyroute2.netlink.nfnetlink.nfctsocket import NFCTAttrTuple

LOG = logging.getLogger(__name__)
Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_ALL = "all"  # the rule of ports without port security


class Ended(NamedTuple):
    """Connections in a zone of connection tracking that have one end in ``networks``, and the other in ``peers`` unless that is
    None. Networks and peers are canonical addresses or prefixes."""
    zone: int
    networks: frozenset[str]
    peers: frozenset[str] | None = None


class _Port(NamedTuple):
    zone: int
    networks: frozenset[str]
    rules: frozenset[str]
    remote_groups: frozenset[str]


class Allowed(NamedTuple):
    """What filters allow: {port id: ...}, and {group id: its members}."""
    ports: dict[str, _Port]
    members: dict[str, frozenset[str]]


def allowed(state: dict, zone: Callable[[str], int], rules: Callable[[dict], list[str]]) -> Allowed:
    """
    :param state: parsed; its ports are those of this host
    :param zone: the zone of a network's id
    :param rules: the text of a port's rules
    """
    zones = {n["id"]: 0 if n["physical"] else zone(n["id"]) for n in state["networks"]}
    groups = state["groups"]
    return Allowed({p["id"]: _Port(
        zones.get(p["network_id"], 0), _addresses(p, zones.get(p["network_id"], 0)),
        frozenset(rules(p)) if p["port_security_enabled"] else frozenset({_ALL}),
        frozenset(r["remote_group_id"] for g in p["security_groups"] for r in groups.get(g, {"rules": []})["rules"]
                  if r["remote_group_id"])) for p in state["ports"]},
        {i: frozenset(group["members"]) for i, group in groups.items() if "members" in group})


def _addresses(port: dict, zone: int) -> frozenset[str]:
    """What a port sends from. In the zone of physical networks, where the host's own connections are, without whole networks: a
    user may allow a port 0.0.0.0/0."""
    pairs = {x["ip_address"] for x in port["allowed_address_pairs"]}
    if not zone:
        pairs = {pair for pair in pairs if ipaddress.ip_network(pair).num_addresses == 1}
    return frozenset(pairs.union(x["ip_address"] for x in port["fixed_ips"]))


def ended(before: Allowed, now: Allowed) -> list[Ended]:
    """What was allowed and no longer is, for ports that are in both."""
    found = []
    left = {i: members - now.members.get(i, frozenset()) for i, members in before.members.items()}
    for port_id, old in before.ports.items():
        port = now.ports.get(port_id)
        if port is None:
            continue
        if old.rules - port.rules or old.networks - port.networks:
            found.append(Ended(old.zone, old.networks))
        elif peers := frozenset().union(*(left.get(group, ()) for group in port.remote_groups)):
            found.append(Ended(old.zone, old.networks, peers))
    return found


def unended(before: Allowed, now: Allowed) -> Allowed:
    """What to compare with next, if what had ended could not be forgotten."""
    return Allowed({i: before.ports.get(i, port) for i, port in now.ports.items()}, {**now.members, **before.members})


def forget(ends: Iterable[Ended]) -> bool:
    """Delete the entries of these connections, in the network namespace of the calling thread.

    :returns: whether all are gone; what failed is logged, and may be repeated
    """
    # Whoever leaves a group ends connections of each of its ports; the kernel is asked once for them all.
    merged: dict[tuple[int, frozenset[str] | None], set[str]] = {}
    for end in ends:
        merged.setdefault((end.zone, end.peers), set()).update(end.networks)
    done = True
    for (zone, peers), networks in merged.items():
        for version in (4, 6):
            own, others = _Networks(networks, version), None if peers is None else _Networks(peers, version)
            if not own or others is not None and not others:
                continue
            try:
                done &= _forget(zone, socket.AF_INET6 if version == 6 else socket.AF_INET, own, others)
            except (NetlinkError, OSError) as error:
                LOG.warning("established connections could not be listed to be ended: %s", error)
                done = False
    return done


class _Networks:
    """Networks of one IP version."""

    def __init__(self, texts: Iterable[str], version: int):
        found = [network for network in map(ipaddress.ip_network, texts) if network.version == version]
        self.addresses = {network.network_address for network in found if network.num_addresses == 1}
        self.wide = [network for network in found if network.num_addresses > 1]

    def __len__(self) -> int:
        return len(self.addresses) + len(self.wide)

    @property
    def cost(self) -> tuple[bool, int]:
        """How much the kernel has to be asked for: of whole networks, all of a zone."""
        return bool(self.wide), len(self)

    def __contains__(self, address: Address) -> bool:
        return address in self.addresses or any(address in network for network in self.wide)


def _forget(zone: int, family: int, own: _Networks, peers: _Networks | None) -> bool:
    done = True
    with NFCTSocket(nfgen_family=family) as conntrack:
        for entry in _entries(conntrack, family, zone, own if peers is None or own.cost <= peers.cost else peers):
            ends = NFCTAttrTuple.from_netlink(family, entry.get_attr("CTA_TUPLE_ORIG"))
            source, target = ipaddress.ip_address(ends.saddr), ipaddress.ip_address(ends.daddr)
            if (entry.get_attr("CTA_ZONE") or 0) == zone and any(
                    one in own and (peers is None or other in peers) for one, other in ((source, target), (target, source))):
                done &= _delete(conntrack, entry)
    return done


def _entries(conntrack: NFCTSocket, family: int, zone: int, networks: _Networks) -> list:
    """Entries of which the first packet came from or went to these networks, and perhaps others, or some twice: a kernel before
    6.8 gives those of all zones, and one before 5.8 all each time."""
    if networks.wide:
        return list(conntrack.dump(zone=zone))
    return [entry for address in sorted(networks.addresses) for side in ("saddr", "daddr")
            for entry in conntrack.dump(tuple_orig=NFCTAttrTuple(family=family, **{side: str(address)}), zone=zone)]


def _delete(conntrack: NFCTSocket, entry) -> bool:
    """Whether it is gone."""
    named = {"tuple_orig": {"attrs": entry.get_attr("CTA_TUPLE_ORIG")["attrs"]}, "id": entry.get_attr("CTA_ID")}
    try:
        conntrack.entry("del", zone=entry.get_attr("CTA_ZONE"), **named)
    except NetlinkError as error:
        if error.code != errno.ENOENT:  # it has ended by itself
            LOG.warning("an established connection could not be ended: %s", error)
            return False
    return True
