"""Parsing of values from clients of the network API into the form in which they are stored.

Each function takes (raw value, name of the attribute), like those of ``common.values``, which it uses, and raises
BadRequest. All values in the database have been parsed here, and so have all that reach a filter, DHCP or router
file.
"""

import ipaddress
import re

from common import errors, values
from network.protocols import PROTOCOLS as NUMBERS

_PREFIX_LENGTH = re.compile(r"[^/]+/[0-9]{1,3}")


def cidr(raw, what: str, *, host_bits: bool = False, version: int | None = None) -> values.IPNetwork:
    """A prefix with its length as a number. A netmask (``/255.0.0.0``) is not a valid CIDR in OpenStack."""
    if not isinstance(raw, str) or not _PREFIX_LENGTH.fullmatch(raw):
        raise errors.BadRequest(f"Invalid input for {what}. Reason: '{str(raw)[:64]}' is not a valid IP subnet.")
    return values.ip_network(raw, what, host_bits=host_bits, version=version)


def address(raw, what: str) -> str:
    return str(values.ip_address(raw, what))


def stored(parse):
    """A parser of filter values: addresses and MACs are converted to the stored form, as ``parse`` does for new
    values. An invalid value is not an error; it matches nothing."""
    def inner(raw: str, what: str) -> str:
        try:
            return parse(raw, what)
        except errors.BadRequest:
            return description(raw, what)
    return inner if parse in (address, values.mac_address, values.uuid) else description


def uuids(raw: list, what: str) -> list[str]:
    return [values.uuid(i, what) for i in raw]


def not_multicast(found, what: str) -> None:
    if found.is_multicast:
        raise errors.BadRequest(f"Invalid input for {what}. Reason: '{found}' is a multicast address.")


def fixed_ips(raw: list[dict], what: str) -> list[dict]:
    """[{"subnet_id"?, "ip_address"?}]; no address twice."""
    found = [{k: values.uuid(v, what) if k == "subnet_id" else address(v, what) for k, v in item.items()} for item in raw]
    chosen = [i["ip_address"] for i in found if "ip_address" in i]
    if len(chosen) != len(set(chosen)):
        raise errors.BadRequest(f"Invalid input for {what}. Reason: Duplicate IP address.")
    return found


def address_pairs(raw: list[dict], what: str) -> list[dict]:
    """[{"ip_address", "mac_address"?}]: an address, or a prefix; no pair twice."""
    found, known = [], set()
    for item in raw:
        whole = "/" not in item["ip_address"]
        net = values.ip_network(item["ip_address"], what) if whole else cidr(item["ip_address"], what)
        not_multicast(net, what)
        pair = {"ip_address": str(net.network_address) if whole else str(net)}
        if item.get("mac_address") is not None:
            pair["mac_address"] = values.mac_address(item["mac_address"], what)
        if (net, pair.get("mac_address")) in known:
            raise errors.BadRequest(f"Request contains duplicate address pair: mac_address {pair.get('mac_address')} "
                                    f"ip_address {pair['ip_address']}.", kind="DuplicateAddressPairInRequest")
        known.add((net, pair.get("mac_address")))
        found.append(pair)
    return found


MAY_BE_BLANK = ("router", "classless-static-route")  # options that are meaningful without a value


def dhcp_options(raw: list[dict], what: str) -> list[dict]:
    """[{"opt_name", "opt_value", "ip_version"}]: at most one per name and version."""
    found = [{"opt_name": item["opt_name"], "opt_value": item["opt_value"],
              "ip_version": values.integer(item.get("ip_version", 4), what, 4, 6)} for item in raw]
    if len({(item["opt_name"], item["ip_version"]) for item in found}) < len(found):
        raise errors.BadRequest(f"Invalid data format for extra-dhcp-opt: {found}", kind="ExtraDhcpOptBadData")
    return found


def pools(raw: list[dict], what: str) -> list[dict]:
    return [{k: address(v, what) for k, v in item.items()} for item in raw]


def name_servers(raw: list, what: str) -> list[str]:
    found = [address(a, what) for a in raw]
    if len(found) != len(set(found)):
        raise errors.BadRequest(f"Invalid input for {what}. Reason: Duplicate nameserver.")
    return found


def routes(raw: list[dict], what: str) -> list[dict]:
    """[{"destination", "nexthop"}], each with one IP version; no duplicates."""
    found: list[dict] = []
    for item in raw:
        net, hop = cidr(item["destination"], what), values.ip_address(item["nexthop"], what)
        if net.version != hop.version or net.is_loopback or net.is_multicast:
            raise errors.BadRequest(f"Invalid input for {what}. Reason: '{net}' cannot be reached through '{hop}'.")
        route = {"destination": str(net), "nexthop": str(hop)}
        if route in found:
            raise errors.BadRequest(f"Invalid input for {what}. Reason: Duplicate hostroute '{route}'.")
        found.append(route)
    return found


def prefixes(raw: str | list, what: str) -> list[str]:
    """Old clients send a single prefix as plain text."""
    return [str(cidr(p, what, host_bits=True)) for p in ([raw] if isinstance(raw, str) else raw)]


def remote_prefix(raw, what: str) -> str | None:
    """An address with a prefix length. Host bits are kept, because clients compare it with what they sent. An empty
    text, as templates write it, is no prefix."""
    if raw == "":
        return None
    net = values.ip_network(raw, what) if "/" not in raw else cidr(raw, what, host_bits=True)
    return f"{ipaddress.ip_address(raw.split('/')[0])}/{net.prefixlen}"


def external_gateway(raw: dict, what: str) -> dict:
    parse = {"network_id": values.uuid, "enable_snat": values.boolean, "external_fixed_ips": fixed_ips}
    return {k: parse[k](v, f"{what}/{k}") for k, v in raw.items()}


def protocol(raw, what: str) -> str | None:
    """A name, or a number as text; None: any. ``protocol_number`` tells whether two are the same."""
    text = str(raw).lower()
    if text == "any":
        return None
    if re.fullmatch("[0-9]{1,3}", text) and int(text) <= 255:
        return str(int(text))
    if text not in NUMBERS:
        raise errors.BadRequest(f"Security group rule protocol {text[:64]} not supported. Only protocol values "
                                f"{sorted(NUMBERS)} and integer representations [0 to 255] are supported.",
                                kind="SecurityGroupRuleInvalidProtocol")
    return text


def protocol_number(found: str | None) -> int | None:
    return None if found is None else NUMBERS[found] if found in NUMBERS else int(found)


def domain(raw: str, what: str) -> str:
    """A DNS domain; a final dot is kept, because clients compare with what they sent."""
    return raw if raw == "" else values.host_name(raw, what) + ("." if raw.endswith(".") else "")


def label(raw: str, what: str) -> str:
    """A host name without dots, or empty."""
    return raw if raw == "" else values.host_name(raw, what, longest=63, dots=False)


def text(raw: str, what: str) -> str:
    return values.text(raw, what)


def description(raw: str, what: str) -> str:
    return values.text(raw, what, lines=True)


def between(low: int, high: int):
    """A parser of whole numbers with bounds, also as text."""
    return lambda raw, what: values.integer(raw, what, low, high)


def port(raw, what: str) -> int:
    try:
        return values.integer(raw, what, 0, 65535)
    except errors.BadRequest:
        raise errors.BadRequest(f"Invalid value for port {raw}", kind="SecurityGroupInvalidPortValue") from None


def ethertype(raw: str, what: str) -> str:
    return {"ipv4": "IPv4", "ipv6": "IPv6"}[raw.lower()]
