"""The Linux data plane of a host: brings bridges, taps, DHCP, routers, filters and metadata to the desired state."""

import functools
import logging

from common import errors
from network import roles
from network.agent import audit, dhcp, parsing, routers
from network.agent.backoff import Backoff
from network.agent.filters import Filters
from network.agent.links import Links, bridge_name, namespaces, raise_sysctl, set_sysctl, tap_name, taps_of, tunnel_name
from network.agent.metadata import MetadataProxy

LOG = logging.getLogger(__name__)
# How many the kernel keeps before it looks for some to forget, and at most; by default 512 and 1024. Each costs this agent 70 µs
# whenever it reads those of a namespace.
NEIGHBOURS = {2: 1 << 13, 3: 1 << 14}
MOST_LEFT = 10_000  # addresses that are kept for parts that cannot be built, which may be for long


def _here(ports: list[dict]) -> list[dict]:
    return [p for p in ports if p["here"]]


def _addresses(ports: list[dict]) -> set[tuple[str, str, str]]:
    """{(network id, address, MAC)}"""
    return {(p["network_id"], ip["ip_address"], p["mac_address"]) for p in ports for ip in p["fixed_ips"]}


def _by_network(addresses: set[tuple[str, str, str]]) -> dict[str, set[tuple[str, str]]]:
    found: dict[str, set[tuple[str, str]]] = {}
    for network_id, address, mac in addresses:
        found.setdefault(network_id, set()).add((address, mac))
    return found


class LinuxDataplane:
    whole = False  # whether a whole state has been applied since the start, although parts of it may have failed

    def __init__(self, conf):
        self.conf = conf
        self.links = Links()  # open while a state is applied
        self.links.close()
        self.dhcp = dhcp.Dhcp(conf, self.links)
        self.routers = routers.Routers(conf, self.links)
        self.filters = Filters()
        self.metadata = MetadataProxy(conf)
        self.state: dict = {"networks": [], "ports": [], "groups": {}, "routers": []}
        self._left: set[tuple[str, str, str]] = set()  # ``_addresses`` that ports had, and a part may still know
        self._held: set[str] = set()  # ports whose tap may be brought up, because their filters are loaded
        # {id: reason} of what could not be rendered, including local ports that are therefore closed; None: filters were not
        # loaded yet.
        self.refused: dict[str, str] = {}
        self.backoff = Backoff()
        self.closed: set[str] | None = None

    def facts(self) -> dict:
        return {**roles.of(self.conf), "driver": "linux", "networks": len(self.state["networks"]),
                "ports": len(_here(self.state["ports"])), "routers": len(self.state["routers"]),
                "bridge_mappings": self.conf.network.bridge_mappings,
                "refused": dict(sorted({**self.backoff.reasons(), **self.refused}.items())[:100]),
                **({} if self.closed is None else {"closed_ports": sorted(self.closed)[:100]})}

    def metered(self) -> list[dict]:
        """The traffic of routers' gateways since the last call (see ``metering.Meters.take``)."""
        return self.routers.meters.take(self.conf.host)

    @staticmethod
    def inventory() -> dict:
        return audit.inventory()

    def networks(self) -> set[str]:
        """The ids of the networks that are present on this host."""
        return {n["id"] for n in self.state["networks"]}

    def bridge(self, network: dict) -> str:
        """The bridge of a network on this host.

        :raises StepFailed: its physical network is not connected to the host
        """
        if not network["physical"]:
            return bridge_name(network["id"])
        mapped = self.conf.network.bridge_mappings.get(network["physical"])
        if mapped is None or self.links.index(mapped) is None:
            raise errors.StepFailed(reason=f"Physical network {network['physical']} has no bridge on this host.")
        return mapped

    def apply(self, raw: dict, *, partial: bool = False) -> None:
        """Apply a desired state; ``partial``: only add or update these networks, ports and groups.

        Filters are loaded before a tap is brought up, and removed after it. A part that fails does not affect the others, and is
        retried by itself (``retry_s``).

        :raises StepFailed: filters could not be loaded, something could not be removed, or, if ``partial``, a part could not be
            built
        """
        self.links.open()
        try:
            self._apply(raw, partial)
        finally:
            self.links.close()

    def retry_s(self) -> float | None:
        """Seconds until a failed part is to be retried; None: everything is built."""
        return self.backoff.next_s()

    def _apply(self, raw: dict, partial: bool) -> None:
        parser = parsing.Parser()
        state = parser.state(raw)
        merged = self._merge(state) if partial else state
        touched = {n["id"] for n in state["networks"]}
        failures: list[Exception] = []
        bridges: dict[str, str] = {}
        parts: set[tuple[str, str]] = set()
        make = functools.partial(self._make, parts, failures if partial else [], partial)
        for network in state["networks"]:
            make("the bridge", network, network, self._ensure_bridge, network, bridges)
        # Frames from a tap without filters are let through, so it goes first.
        if partial:
            self._try(failures, self._remove_taps, state["ports"])
        else:
            self._try(failures, self._remove_links, state, parser.refused, "tap")
        self._try(failures, self._filter, merged, parser.refused, partial)
        self.metadata.set_ports(merged["ports"])
        mtus = {n["id"]: n["mtu"] for n in merged["networks"]}
        self._left = (self._left | _addresses(self.state["ports"])) - _addresses(merged["ports"])
        gone = _by_network(self._left)
        for port in _here(state["ports"]):
            if port["network_id"] in bridges and port["id"] in self._held:
                where = bridges[port["network_id"]], mtus[port["network_id"]]
                make("the tap", port, (where, port["admin_state_up"]), self._ensure_tap, port, *where)
        for network in merged["networks"]:
            if network["id"] in touched and network["id"] in bridges and dhcp.wanted(network):
                own = [p for p in merged["ports"] if p["network_id"] == network["id"]]
                make("DHCP", network, (network, own, bridges[network["id"]]), self._ensure_dhcp, network, own, bridges, gone)
        if partial:
            self._update_router_neighbours(failures, merged, touched)
        else:
            for router in state["routers"]:
                known = routers.neighbours(router, merged) if router["part"] == "local" else None
                make("the router", router, (router, known, bridges, mtus), self._ensure_router, router, bridges, mtus, gone,
                     known)
            self.backoff.keep(parts)
            if self.backoff.next_s() is None or len(self._left) > MOST_LEFT:
                self._left = set()
            self._try(failures, self._clean, state, parser.refused)
        self.state, self.whole = merged, self.whole or not partial
        self._report(parser.refused, partial)
        if failures:
            raise failures[0]
        lost = [p["id"] for p in raw["ports"] if p["here"] and (
            p["id"] in (self.closed or ()) or p["id"] not in self._held or p["network_id"] not in bridges)]
        if partial and lost:
            raise errors.StepFailed(reason="The host's network refused a port.",
                                    internal=f"{lost[0]}: {self.refused.get(str(lost[0]))}")

    def _make(self, parts: set, failures: list, at_once: bool, what: str, thing: dict, wanted, work, *args) -> None:
        """Build one part, unless it failed recently with the same desired state. ``parts``: the keys of all desired parts."""
        parts.add((what, thing["id"]))
        error = self.backoff.attempt((what, thing["id"]), wanted, work, *args, at_once=at_once)
        if error is not None:
            failures.append(error)

    def _update_router_neighbours(self, failures: list, merged: dict, touched: set[str]) -> None:
        """Update the neighbours of distributed routers."""
        for router in merged["routers"]:
            if router["part"] == "local" and touched & {leg["network_id"] for leg in router["interfaces"]}:
                self._try(failures, self.routers.set_neighbours, router, routers.neighbours(router, merged))

    def _filter(self, merged: dict, refused: dict[str, str], partial: bool) -> None:
        """Load the filters of all local ports. If that fails, no tap of a new port is brought up."""
        for path in ("bridge/bridge-nf-call-iptables", "bridge/bridge-nf-call-ip6tables", "ipv4/ip_forward"):
            set_sysctl(path, "1")
        # One table holds the neighbours of all namespaces. When it is full, none of them finds anybody else.
        for family in ("ipv4", "ipv6"):
            for number, count in NEIGHBOURS.items():
                raise_sysctl(f"{family}/neigh/default/gc_thresh{number}", count)
        # A guest that returns by live migration finds what the kernel knew of its connections, whose TCP windows are long past.
        set_sysctl("netfilter/nf_conntrack_tcp_be_liberal", "1")
        ports = _here(merged["ports"])
        self._held &= {p["id"] for p in ports}
        by_filter = self.filters.apply({**merged, "ports": ports}, check=not partial)
        refused.update(by_filter)
        self.closed = {p["id"] for p in ports if p["closed"]} | set(by_filter)
        self._held = {p["id"] for p in ports}

    def _report(self, refused: dict[str, str], partial: bool) -> None:
        """Log once what is left out, and report it in heartbeats."""
        for what, reason in refused.items():
            if self.refused.get(what) != reason:
                LOG.error("%s is not configured, or only in part: %s", what, reason)
        self.refused = {**self.refused, **refused} if partial else refused

    @staticmethod
    def _try(failures: list, work, *args) -> None:
        try:
            work(*args)
        except Exception as error:  # boundary of one part: raised after the others are built
            LOG.error("%s failed: %s %s", work.__name__, error, getattr(error, "internal", None) or "",
                      exc_info=not isinstance(error, errors.Error))
            failures.append(error)

    def _merge(self, state: dict) -> dict:
        merged = {**self.state, "groups": {**self.state["groups"], **state["groups"]}}
        if "hosts" in state:
            merged["hosts"] = state["hosts"]
        for kind in ("networks", "ports"):
            new = {x["id"]: x for x in state[kind]}
            merged[kind] = [x for x in self.state[kind] if x["id"] not in new] + state[kind]
        return merged

    def _ensure_bridge(self, network: dict, bridges: dict) -> None:
        name = self.bridge(network)
        if not network["physical"]:
            self.links.ensure_bridge(name, network["mtu"])
            local = roles.of(self.conf)["tunneling_ip"]
            if local and network["peers"] and network["type"] == "vxlan":
                self.links.ensure_vxlan(tunnel_name(network["id"]), network["segment"], local, name, network["mtu"],
                                        network["peers"])
            else:
                self.links.delete(tunnel_name(network["id"]))
        bridges[network["id"]] = name

    def _remove_taps(self, ports: list[dict]) -> None:
        """Remove taps of ports that are on other hosts now."""
        left = {tap_name(port["id"]) for port in ports if not port["here"]}
        for name in left.intersection(self.links.names()) if left else ():
            self.links.delete(name)

    def _ensure_tap(self, port: dict, bridge: str, mtu: int) -> None:
        self.links.ensure_tap(tap_name(port["id"]), bridge, mtu, up=port["admin_state_up"],
                              multiqueue=port["multiqueue"])

    def _ensure_dhcp(self, network: dict, own: list[dict], bridges: dict, gone: dict) -> None:
        self.dhcp.ensure(network, own, bridges[network["id"]], gone.get(network["id"], set()))
        self.metadata.listen(dhcp.namespace(network["id"]), dhcp.METADATA_IP, 80, [network["id"]])

    def _ensure_router(self, router: dict, bridges: dict, mtus: dict, gone: dict, known: dict | None) -> None:
        self.routers.ensure(router, bridges, mtus, gone, known)
        self.metadata.listen(routers.namespace(router), "0.0.0.0", routers.METADATA_PORT,
                             [leg["network_id"] for leg in router["interfaces"]])

    @staticmethod
    def _served(state: dict, refused: dict[str, str]) -> set[str]:
        """The networks whose DHCP servers are kept."""
        return {n["id"] for n in state["networks"] if dhcp.wanted(n)} | set(refused)

    def _clean(self, state: dict, refused: dict[str, str]) -> None:
        """Remove what is not in the desired state, except devices of others, and parts that were refused as a whole."""
        served = self._served(state, refused)
        routing = {routers.namespace(r) for r in state["routers"]} | {p + i for p in routers.PREFIXES for i in refused}
        self.metadata.keep({dhcp.namespace(n) for n in served} | routing)
        for name in namespaces("qdhcp-"):
            if name[6:] not in served:
                self.dhcp.remove(name[6:])
        for network_id in set(self.dhcp.served()) - served:
            self.dhcp.remove(network_id)
        for name in (n for prefix in routers.PREFIXES for n in namespaces(prefix)):
            if name not in routing:
                self.routers.remove(name)
        self._remove_links(state, refused, "brq", "vxl")

    def _remove_links(self, state: dict, refused: dict[str, str], *kinds: str) -> None:
        """Remove links of these kinds that are not in the desired state, except as ``_clean``."""
        served = self._served(state, refused)
        legs = [leg for r in state["routers"] for leg in [*r["interfaces"], *([r["gateway"]] if r["gateway"] else [])]]
        taps = {tap_name(x["id"]) for x in [*_here(state["ports"]), *legs]}
        taps |= {tap_name(n["dhcp_port"]["id"]) for n in state["networks"] if n["id"] in served and n["dhcp_port"]}
        networks = {n["id"] for n in state["networks"]} | set(refused)
        known = taps | {bridge_name(n) for n in networks} | {tunnel_name(n) for n in networks}
        kept = {prefix + i for prefix in ("qdhcp-", *routers.PREFIXES) for i in refused} & set(namespaces(""))
        known |= {tap for space in kept for tap in taps_of(space)}
        for name in self.links.names():
            if name[:3] in kinds and len(name) == 14 and name not in known:
                self.links.delete(name)
