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
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
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
        zones.get(p["network_id"], 0),
        frozenset(x["ip_address"] for x in [*p["fixed_ips"], *p["allowed_address_pairs"]]),
        frozenset(rules(p)) if p["port_security_enabled"] else frozenset({_ALL}),
        frozenset(r["remote_group_id"] for g in p["security_groups"] for r in groups.get(g, {"rules": []})["rules"]
                  if r["remote_group_id"])) for p in state["ports"]},
        {i: frozenset(group["members"]) for i, group in groups.items() if "members" in group})


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


def forget(ends: Iterable[Ended]) -> int:
    """Delete the entries of these connections, in the network namespace of the calling thread.

    :returns: how many were deleted; what cannot be deleted is logged
    """
    return sum(_forget(end.zone, ipaddress.ip_network(network),
                       None if end.peers is None else [ipaddress.ip_network(peer) for peer in end.peers])
               for end in ends for network in sorted(end.networks))


def _forget(zone: int, network: Network, peers: list[Network] | None) -> int:
    family = socket.AF_INET6 if network.version == 6 else socket.AF_INET
    deleted = 0
    with NFCTSocket(nfgen_family=family) as conntrack:
        for entry in _entries(conntrack, family, network):
            ends = NFCTAttrTuple.from_netlink(family, entry.get_attr("CTA_TUPLE_ORIG"))
            source, target = ipaddress.ip_address(ends.saddr), ipaddress.ip_address(ends.daddr)
            others = [other for own, other in ((source, target), (target, source)) if own in network]
            if (entry.get_attr("CTA_ZONE") or 0) == zone and (
                    others if peers is None else any(other in peer for other in others for peer in peers)):
                deleted += _delete(conntrack, entry)
    return deleted


def _entries(conntrack: NFCTSocket, family: int, network: Network) -> list:
    """Entries of which the first packet came from or went to a network, and perhaps others: a kernel before 5.8 gives all."""
    if network.prefixlen < network.max_prefixlen:
        return list(conntrack.dump())
    address = str(network.network_address)
    return [entry for side in ("saddr", "daddr")
            for entry in conntrack.dump(tuple_orig=NFCTAttrTuple(family=family, **{side: address}))]


def _delete(conntrack: NFCTSocket, entry) -> int:
    named = {"tuple_orig": {"attrs": entry.get_attr("CTA_TUPLE_ORIG")["attrs"]}, "id": entry.get_attr("CTA_ID")}
    try:
        conntrack.entry("del", zone=entry.get_attr("CTA_ZONE"), **named)
    except NetlinkError as error:
        if error.code != errno.ENOENT:  # it has ended by itself
            LOG.warning("an established connection could not be ended: %s", error)
        return 0
    return 1
