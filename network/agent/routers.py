"""Routers: a namespace each, with an interface in every network, NAT and routes."""

import logging
import pathlib

from network.agent import connections, guard
from network.agent.advertise import Advertiser
from network.agent.filters import run
from network.agent.links import Links, announce, delete_namespace, in_namespace, namespaces, set_sysctl, tap_name
from network.agent.metering import Meters

LOG = logging.getLogger(__name__)
METADATA_PORT = 9697


PREFIXES = ("qrouter-", "snat-")


def namespace(router: dict) -> str:
    """The namespace of a router, or of the part of it on this host."""
    return f"{'snat' if router['part'] == 'snat' else 'qrouter'}-{router['id']}"


def neighbours(router: dict, state: dict) -> dict[str, dict[str, str]]:
    """{network id: {address: MAC}} of the neighbours of a distributed router's copy.

    It cannot use ARP: the response would go to the copy on the neighbour's host.
    """
    found: dict[str, dict[str, str]] = {leg["network_id"]: {} for leg in router["interfaces"]}
    own = [(n["id"], n["dhcp_port"]) for n in state["networks"] if n["dhcp_port"]]
    for network_id, port in [*((p["network_id"], p) for p in state["ports"]), *own]:
        if network_id in found:
            found[network_id].update({ip["ip_address"]: port["mac_address"] for ip in port["fixed_ips"]})
    for hop in router["hops"]:
        found[hop["network_id"]].update({a.split("/")[0]: hop["mac_address"] for a in hop["addresses"]})
    return found


def _device(prefix: str, leg: dict) -> str:
    return f"{prefix}-{leg['id'][:11]}"


def nat(router: dict) -> str:
    """iptables-restore input of a router's NAT: floating IPs first, then SNAT."""
    lines = ["*nat", ":PREROUTING ACCEPT [0:0]", ":INPUT ACCEPT [0:0]", ":OUTPUT ACCEPT [0:0]",
             ":POSTROUTING ACCEPT [0:0]"]
    for leg in router["interfaces"]:
        lines.append(f"-A PREROUTING -i {_device('qr', leg)} -d 169.254.169.254/32 -p tcp --dport 80 -j REDIRECT "
                     f"--to-ports {METADATA_PORT}")
    gateway = router["gateway"]
    if gateway:
        out = _device("qg", gateway)
        for pair in router["floating"]:
            lines.append(f"-A PREROUTING -d {pair['floating']}/32 -j DNAT --to-destination {pair['fixed']}")
            lines.append(f"-A OUTPUT -d {pair['floating']}/32 -j DNAT --to-destination {pair['fixed']}")
        # Hairpin: replies to a guest that uses a floating IP of its own network must return through the router.
        lines.append(f"-A POSTROUTING ! -o {out} -m conntrack --ctstate DNAT --ctdir ORIGINAL -s "
                     f"{','.join(c for leg in router['interfaces'] for c in leg['cidrs'] if ':' not in c) or '0.0.0.0/32'}"
                     f" -j MASQUERADE")
        for pair in router["floating"]:
            lines.append(f"-A POSTROUTING -s {pair['fixed']}/32 -o {out} -j SNAT --to-source {pair['floating']}")
        shared = next((a.split("/")[0] for a in gateway["addresses"] if ":" not in a), None)
        if router["snat"] and shared:
            lines.append(f"-A POSTROUTING -o {out} -m conntrack ! --ctstate DNAT -j SNAT --to-source {shared}")
    return "\n".join([*lines, "COMMIT", ""])


class Routers:
    def __init__(self, conf, links: Links):
        self.links = links
        self.advertiser = Advertiser(pathlib.Path(conf.state_path) / "network" / "ra")
        self.meters = Meters()
        self._nat: dict[str, str] = {}
        self._floating: dict[str, set[tuple[str, str]]] = {}  # by namespace: (floating, fixed) whose connections may be there
        self._guarded: set[str] = set()  # namespaces for which this process has loaded an input filter

    def ensure(self, router: dict, bridges: dict[str, str], mtus: dict[str, int], gone: dict[str, set[tuple[str, str]]],
               known: dict[str, dict[str, str]] | None = None) -> None:
        """Build a router, or one part of it. ``bridges``, ``mtus`` and ``gone`` are by network id.

        :param gone: (address, MAC) of ports that have left a network
        :param known: for a local part: its ``neighbours``
        """
        name = namespace(router)
        local = router["part"] == "local"
        # A network without a bridge here does not affect the router's other networks.
        router = {**router, "interfaces": [leg for leg in router["interfaces"] if leg["network_id"] in bridges]}
        if router["gateway"] and router["gateway"]["network_id"] not in bridges:
            router["gateway"] = None
        inner = Links(name)
        try:
            inner.up("lo")
            in_namespace(name, self._forwarding)
            if local:
                in_namespace(name, self._one_of_many)
            kept = set()
            for leg in router["interfaces"] if router["up"] else []:
                kept.add(self._leg("qr", leg, inner, bridges, mtus, leg["addresses"]))
                inner.drop_neighbours(_device("qr", leg), gone.get(leg["network_id"], set()))
            gateway = router["gateway"] if router["up"] else None
            if gateway:
                floating = [f"{p['floating']}/32" for p in router["floating"]]
                kept.add(self._leg("qg", gateway, inner, bridges, mtus, gateway["addresses"] + floating))
            for device in inner.names():
                if device[:3] in ("qr-", "qg-") and device not in kept:
                    inner.delete(device)
            if local and router["up"]:
                self._as_copy(router, inner, known or {})
            routes = {r["destination"]: r["nexthop"] for r in router["routes"]}
            for hop in (a.split("/")[0] for leg in router["hops"] for a in leg["addresses"]):
                routes.setdefault("::/0" if ":" in hop else "0.0.0.0/0", hop)
            for hop in gateway["gateways"] if gateway else []:
                routes["::/0" if ":" in hop else "0.0.0.0/0"] = hop
            inner.set_routes(routes)
        finally:
            inner.close()
        self.advertiser.ensure(name, [
            {"device": _device("qr", leg), "mtu": mtus[leg["network_id"]], "prefixes": leg["advertised"]}
            for leg in (router["interfaces"] if router["up"] else [])])
        if name not in self._guarded:
            run("ip", "netns", "exec", name, "nft", "-f", "-", stdin=guard.router(METADATA_PORT))
            self._guarded.add(name)
        text = nat(router)
        if self._nat.get(name) != text:
            run("ip", "netns", "exec", name, "iptables-restore", "-w", "10", stdin=text)
            self._nat[name] = text
        self._end_connections(name, {(p["floating"], p["fixed"]) for p in router["floating"]} if router["gateway"] else set())
        self.meters.ensure(name, _device("qg", gateway) if gateway else None, router["labels"])

    def _end_connections(self, name: str, floating: set[tuple[str, str]]) -> None:
        """End connections through floating IPs that were taken away: the kernel would go on translating their packets.

        What fails is repeated by the next call.
        """
        left = self._floating.get(name, set()) - floating
        ends = [connections.Ended(0, frozenset(pair)) for pair in sorted(left)]
        if not ends or in_namespace(name, lambda: connections.forget(ends)):
            left = set()
        self._floating[name] = floating | left

    @staticmethod
    def _forwarding() -> None:
        set_sysctl("ipv4/ip_forward", "1")
        set_sysctl("ipv6/conf/all/forwarding", "1")
        set_sysctl("ipv4/conf/all/rp_filter", "0")

    @staticmethod
    def _one_of_many() -> None:
        """The copies on other hosts have the same addresses: disable duplicate address detection (RFC 4862, 5.4)."""
        for name in ("all", "default"):
            set_sysctl(f"ipv6/conf/{name}/accept_dad", "0")
            set_sysctl(f"ipv6/conf/{name}/dad_transmits", "0")

    def _as_copy(self, router: dict, inner: Links, known: dict[str, dict[str, str]]) -> None:
        for leg in router["interfaces"]:
            # Frames of copies on other hosts have the same MAC; they must not divert this host's guests.
            self.links.pin(tap_name(leg["id"]), leg["mac_address"])
            inner.set_neighbours(_device("qr", leg), known.get(leg["network_id"], {}))

    def set_neighbours(self, router: dict, known: dict[str, dict[str, str]]) -> None:
        """Update only the neighbours of a local part that is already built."""
        if namespace(router) in namespaces("qrouter-") and router["up"]:
            inner = Links(namespace(router))
            try:
                self._as_copy(router, inner, known)
            finally:
                inner.close()

    def _leg(self, prefix, leg, inner, bridges, mtus, addresses) -> str:
        device = _device(prefix, leg)
        self.links.ensure_veth(tap_name(leg["id"]), bridges[leg["network_id"]], inner, device, leg["mac_address"],
                               mtus[leg["network_id"]])
        for added in inner.set_addresses(device, addresses):
            if ":" not in added:
                announce(inner.namespace or "", device, added.split("/")[0], leg["mac_address"])
        return device

    def remove(self, space: str) -> None:
        """:param space: the name of the namespace"""
        self.meters.remove(space)
        self.advertiser.remove(space)
        delete_namespace(space)
        self._nat.pop(space, None)
        self._floating.pop(space, None)
        self._guarded.discard(space)
