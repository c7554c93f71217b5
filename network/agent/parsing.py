"""Parses the state received from network-api into canonical values.

Rules and files are rendered only from the values made here: addresses, networks, MACs, bounded numbers, words of fixed tables,
and names without white space. So no text of a client, and no row of an older release, reaches a program unchecked. What cannot be
parsed is left out, with the reason: a rule, a route, a subnet. A port whose own addresses cannot be parsed is closed
(``closed``): its tap is built, and blocked.
"""

import ipaddress
import re

from common import errors, values
from network.protocols import PROTOCOLS

PORTED = {6, 17, 132, 33, 136}
ICMP = {1, 58}
_WORD = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_LABEL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
_OPTION_NAME = re.compile(r"[a-z0-9-]{1,64}")
_OPTION_VALUE = re.compile(r"[A-Za-z0-9 ._:/@+=-]{1,255}")
_UNFIT = (errors.BadRequest, ValueError, KeyError, TypeError, AttributeError)
_RA_MODES = (None, "slaac", "dhcpv6-stateful", "dhcpv6-stateless")


# Values. Each returns the canonical form, or raises ValueError or BadRequest. ---


def _text(raw) -> str:
    return values.text(raw, "text")


def identifier(raw) -> str:
    """A UUID in its usual form, because devices, chains and namespaces are named after it."""
    if values.uuid(raw, "id") != raw:
        raise ValueError(f"{raw!r} is not an id in its usual form")
    return raw


def address(raw, version: int | None = None) -> str:
    """An IP address. Scoped addresses ("%") are refused."""
    return str(values.ip_address(raw, "address", version=version))


def network(raw, version: int | None = None) -> str:
    """A network, without host bits."""
    return str(values.ip_network(raw, "network", version=version, host_bits=True))


def interface(raw) -> str:
    """An address with its prefix length."""
    found = values.text(raw, "interface").partition("/")
    ip = values.ip_address(found[0], "interface")
    return f"{ip}/{number(found[2], 0, ip.max_prefixlen)}"


def mac(raw) -> str:
    """A unicast MAC."""
    return values.mac_address(raw, "MAC")


def number(raw, low: int, high: int) -> int:
    """A decimal number, also as text, as in older rows."""
    return values.integer(raw, "number", low, high)


def choice(raw, *allowed):
    if raw not in allowed:
        raise ValueError(f"{raw!r} is not one of {allowed}")
    return raw


def matched(raw, pattern: re.Pattern) -> str:
    if not pattern.fullmatch(_text(raw)):
        raise ValueError(f"{raw!r} has invalid characters")
    return raw


def optional(raw, parse, *args):
    return None if raw is None else parse(raw, *args)


# What a state consists of ----------------------------------------------------


def _fixed(raw) -> dict:
    return {"subnet_id": identifier(raw["subnet_id"]), "ip_address": address(raw["ip_address"])}


def _route(raw, version: int | None = None) -> dict:
    target = network(raw["destination"], version)
    return {"destination": target, "nexthop": address(raw["nexthop"], ipaddress.ip_network(target).version)}


def rule(raw) -> dict:
    """A security group rule: protocol and ports become numbers."""
    version = 6 if choice(raw["ethertype"], "IPv4", "IPv6") == "IPv6" else 4
    name = raw["protocol"]
    protocol = None if name is None else PROTOCOLS[name] if name in PROTOCOLS else number(name, 0, 255)
    # ICMP's type and code have 8 bits each.
    most = 255 if protocol in ICMP else 65535
    low, high = (optional(raw[f"port_range_{end}"], number, 0, most) for end in ("min", "max"))
    if protocol in PORTED and low is not None and high is None:
        high = low
    if low is None and high is not None or low is not None and (
            protocol not in PORTED | ICMP or protocol in PORTED and high is not None and low > high):
        # Without its ports, the rule would allow more than was requested.
        raise ValueError(f"ports {low} to {high} do not fit protocol {name}")
    return {"direction": choice(raw["direction"], "ingress", "egress"), "ethertype": raw["ethertype"], "version": version,
            "protocol": protocol, "port_range_min": low, "port_range_max": high,
            "remote_ip_prefix": optional(raw["remote_ip_prefix"] or None, network, version),
            "remote_group_id": optional(raw["remote_group_id"] or None, identifier)}


def _pair(raw) -> dict:
    return {"ip_address": network(raw["ip_address"]), "mac_address": mac(raw["mac_address"])}


def _dhcp_option(raw) -> dict:
    return {"opt_name": matched(raw["opt_name"], _OPTION_NAME), "ip_version": number(raw.get("ip_version", 4), 4, 6),
            "opt_value": matched(raw["opt_value"], _OPTION_VALUE)}


def _meter(raw) -> dict:
    ends = {k: optional(raw[k] or None, network) for k in ("source_ip_prefix", "destination_ip_prefix")}
    if len({":" in end for end in ends.values() if end}) > 1:
        raise ValueError("a meter's rule has ends of two IP versions")
    return {"direction": choice(raw["direction"], "ingress", "egress"), "excluded": bool(raw["excluded"]), **ends}


class Parser:
    """Parses one state. ``refused``: {id of a port, network, ...: why a part of it was left out}."""

    def __init__(self):
        self.refused: dict[str, str] = {}

    def state(self, raw: dict) -> dict:
        """The state from ``network/db/state.py``, in canonical values only. Missing keys stay missing: the state of a plug has no
        routers."""
        found = {"networks": self._each(raw["networks"], self._network), "ports": self._each(raw["ports"], self._port),
                 "groups": self._groups(raw["groups"])}
        if "routers" in raw:
            found["routers"] = self._each(raw["routers"], self._router)
        if raw.get("hosts") is not None:
            found["hosts"] = self._each(raw["hosts"], address)
        return found

    def _each(self, items, parse, owner: str | None = None, *args) -> list:
        """The items that can be parsed. Others are recorded under their owner's id or their own."""
        found = []
        for item in items or []:
            try:
                found.append(parse(item, *args))
            except _UNFIT as error:
                own = item.get("id") if isinstance(item, dict) else None
                self.refused[owner or str(own or item)[:64]] = f"{parse.__name__.strip('_')}: {error}"[:300]
        return found

    def _network(self, raw: dict) -> dict:
        own = identifier(raw["id"])
        return {"id": own, "mtu": number(raw["mtu"], 68, 65535), "external": bool(raw["external"]),
                "type": choice(raw["type"], "flat", "local", "vxlan", "vlan"),
                "physical": optional(raw["physical"], _text) or None,
                "segment": optional(raw["segment"], number, 0, (1 << 24) - 1), "serves": bool(raw["serves"]),
                "subnets": self._each(raw["subnets"], self._subnet, own),
                "dhcp_port": self._dhcp_port(raw["dhcp_port"], own) if raw["dhcp_port"] else None,
                "peers": self._each(raw["peers"], address, own)}

    def _dhcp_port(self, raw: dict, owner: str) -> dict:
        return {"id": identifier(raw["id"]), "mac_address": mac(raw["mac_address"]),
                "fixed_ips": self._each(raw["fixed_ips"], _fixed, owner)}

    def _subnet(self, raw: dict) -> dict:
        own, version = identifier(raw["id"]), number(raw["ip_version"], 4, 6)
        return {"id": own, "ip_version": version, "cidr": network(raw["cidr"], version),
                "gateway_ip": optional(raw["gateway_ip"] or None, address, version), "enable_dhcp": bool(raw["enable_dhcp"]),
                "dns_nameservers": self._each(raw["dns_nameservers"], address, own),
                "host_routes": self._each(raw["host_routes"], _route, own, version),
                "ipv6_ra_mode": choice(raw["ipv6_ra_mode"], *_RA_MODES),
                "ipv6_address_mode": choice(raw["ipv6_address_mode"], *_RA_MODES)}

    def _port(self, raw: dict) -> dict:
        base: dict = {"id": identifier(raw["id"]), "network_id": identifier(raw["network_id"]), "here": bool(raw["here"]),
                "admin_state_up": bool(raw["admin_state_up"]), "multiqueue": bool(raw.get("multiqueue")), "closed": False}
        try:
            return {**base, "mac_address": mac(raw["mac_address"]), "fixed_ips": [_fixed(x) for x in raw["fixed_ips"]],
                    "allowed_address_pairs": [_pair(x) for x in raw["allowed_address_pairs"] or []],
                    "port_security_enabled": bool(raw["port_security_enabled"]),
                    "security_groups": [identifier(x) for x in raw["security_groups"]],
                    # Ports of users: no id, no metadata.
                    "device_id": next(iter(self._each([raw["device_id"]] if raw["device_id"] else [], identifier, base["id"])),
                                      ""),
                    "project_id": matched(raw["project_id"], _WORD) if raw["project_id"] else "",
                    "device_owner": _text(raw["device_owner"]),
                    "extra_dhcp_opts": self._each([o for o in raw["extra_dhcp_opts"] or [] if o.get("opt_value")],
                                                  _dhcp_option, base["id"]),
                    "dns_name": next(iter(self._each([raw["dns_name"]] if raw["dns_name"] else [], _host_name, base["id"])),
                                     "")}
        except _UNFIT as error:
            self.refused[base["id"]] = f"port: {error}"[:300]
            return closed(base)

    def _groups(self, raw: dict) -> dict:
        found = {}
        for group_id, group in raw.items():
            for own in self._each([group_id], identifier):
                found[own] = {"rules": self._each(group["rules"], rule, own)}
                if "members" in group:
                    found[own]["members"] = sorted(set(self._each(group["members"], address, own)))
        return found

    def _leg(self, raw: dict, owner: str) -> dict:
        return {"id": identifier(raw["id"]), "network_id": identifier(raw["network_id"]),
                "mac_address": mac(raw["mac_address"]), "addresses": self._each(raw["addresses"], interface, owner),
                "advertised": self._each(raw["advertised"], self._advertised, owner),
                "cidrs": self._each(raw["cidrs"], network, owner), "gateways": self._each(raw["gateways"], address, owner)}

    def _advertised(self, raw: dict) -> dict:
        cidr = network(raw["cidr"], 6)
        return {"cidr": cidr, "mode": choice(raw["mode"], *_RA_MODES[1:]), "dns": self._each(raw["dns"], address, cidr)}

    def _router(self, raw: dict) -> dict:
        own = identifier(raw["id"])
        gateway = self._each([raw["gateway"]] if raw["gateway"] else [], self._leg, own, own)
        return {"id": own, "part": choice(raw["part"], "whole", "local", "snat"), "up": bool(raw["up"]),
                "snat": bool(raw["snat"]), "routes": self._each(raw["routes"], _route, own),
                "gateway": gateway[0] if gateway else None,
                **{k: self._each(raw[k], self._leg, own, own) for k in ("interfaces", "hops")},
                "floating": self._each(raw["floating"], _floating, own),
                "labels": self._each(raw["labels"], self._label, own)}

    def _label(self, raw: dict) -> dict:
        own = identifier(raw["id"])
        return {"id": own, "project_id": raw["project_id"], "rules": self._each(raw["rules"], _meter, own)}


def _host_name(raw) -> str:
    return matched(raw, _LABEL)


def _floating(raw) -> dict:
    return {"floating": address(raw["floating"], 4), "fixed": address(raw["fixed"], 4)}


def closed(port: dict) -> dict:
    """A port that is blocked."""
    return {**{k: port[k] for k in ("id", "network_id", "here", "admin_state_up", "multiqueue")}, "closed": True,
            "mac_address": "", "fixed_ips": [], "allowed_address_pairs": [], "port_security_enabled": True, "security_groups": [],
            "device_id": "", "project_id": "", "device_owner": "", "extra_dhcp_opts": [], "dns_name": ""}
