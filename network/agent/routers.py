"""Routers: a namespace each, with a leg in every network, NAT and routes."""

import logging
import pathlib

from network.agent.advertise import Advertiser
from network.agent.filters import run
from network.agent.links import Links, announce, delete_namespace, in_namespace, set_sysctl, tap_name

LOG = logging.getLogger(__name__)
METADATA_PORT = 9697


def namespace(router_id: str) -> str:
    return f"qrouter-{router_id}"


def _device(prefix: str, leg: dict) -> str:
    return f"{prefix}-{leg['id'][:11]}"


def nat(router: dict) -> str:
    """iptables-restore input of a router's NAT: floating IPs first, then the shared address."""
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
        # A guest that calls a floating IP of its own network: the answer must come back through here.
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
        self._nat: dict[str, str] = {}

    def ensure(self, router: dict, bridges: dict[str, str], mtus: dict[str, int]) -> None:
        """Build one router. ``bridges`` and ``mtus`` are by network id."""
        name = namespace(router["id"])
        inner = Links(name)
        try:
            inner.up("lo")
            in_namespace(name, self._forwarding)
            kept = set()
            for leg in router["interfaces"] if router["up"] else []:
                kept.add(self._leg("qr", leg, inner, bridges, mtus, leg["addresses"]))
            gateway = router["gateway"] if router["up"] else None
            if gateway:
                floating = [f"{p['floating']}/32" for p in router["floating"]]
                kept.add(self._leg("qg", gateway, inner, bridges, mtus, gateway["addresses"] + floating))
            for device in inner.names():
                if device[:3] in ("qr-", "qg-") and device not in kept:
                    inner.delete(device)
            routes = {r["destination"]: r["nexthop"] for r in router["routes"]}
            for hop in gateway["gateways"] if gateway else []:
                routes["::/0" if ":" in hop else "0.0.0.0/0"] = hop
            inner.set_routes(routes)
        finally:
            inner.close()
        self.advertiser.ensure(router["id"], name, [
            {"device": _device("qr", leg), "mtu": mtus[leg["network_id"]], "prefixes": leg["advertised"]}
            for leg in (router["interfaces"] if router["up"] else [])])
        text = nat(router)
        if self._nat.get(router["id"]) != text:
            run("ip", "netns", "exec", name, "iptables-restore", "-w", "10", stdin=text)
            self._nat[router["id"]] = text

    @staticmethod
    def _forwarding() -> None:
        set_sysctl("ipv4/ip_forward", "1")
        set_sysctl("ipv6/conf/all/forwarding", "1")
        set_sysctl("ipv4/conf/all/rp_filter", "0")

    def _leg(self, prefix, leg, inner, bridges, mtus, addresses) -> str:
        device = _device(prefix, leg)
        self.links.ensure_veth(tap_name(leg["id"]), bridges[leg["network_id"]], inner, device, leg["mac_address"],
                               mtus[leg["network_id"]])
        for added in inner.set_addresses(device, addresses):
            if ":" not in added:
                announce(inner.namespace or "", device, added.split("/")[0], leg["mac_address"])
        return device

    def remove(self, router_id: str) -> None:
        self.advertiser.remove(router_id)
        delete_namespace(namespace(router_id))
        self._nat.pop(router_id, None)
