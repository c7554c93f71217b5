"""What of our making is in this host's kernel, against what should be."""

import subprocess

from network.agent import dhcp, routers
from network.agent.links import Links, bridge_name, namespaces, tap_name


def compare(state: dict):
    """Yield (name, text) for each difference.

    :param state: what ``network.db.state.of_host`` says of this host
    """
    here = [p for p in state["ports"] if p["here"]]
    served = [n for n in state["networks"] if dhcp.wanted(n)]
    legs = [leg for r in state["routers"] for leg in [*r["interfaces"], *([r["gateway"]] if r["gateway"] else [])]]
    taps = {tap_name(x["id"]) for x in [*here, *legs, *[n["dhcp_port"] for n in served]]}
    bridges = {bridge_name(n["id"]) for n in state["networks"] if not n["physical"]}
    spaces = {dhcp.namespace(n["id"]) for n in served} | {routers.namespace(r) for r in state["routers"]}
    links = Links()
    try:
        have = links.names()
    finally:
        links.close()
    have_taps = {n for n in have if n.startswith("tap") and len(n) == 14}
    have_bridges = {n for n in have if n.startswith("brq") and len(n) == 14}
    have_spaces = {n for prefix in ("qdhcp-", *routers.PREFIXES) for n in namespaces(prefix)}
    for kind, wanted, found in (("tap", taps, have_taps), ("bridge", bridges, have_bridges),
                                ("namespace", spaces, have_spaces)):
        for name in sorted(found - wanted):
            yield name, f"is a {kind} that no network explains"
        for name in sorted(wanted - found):
            yield name, f"is a {kind} that should be there"
    yield from _chains({p["id"][:11] for p in here if p["port_security_enabled"]})


def _chains(wanted: set[str]):
    saved = subprocess.run(["iptables-save", "-t", "filter"], capture_output=True, text=True).stdout
    found = {line.split()[0].removeprefix(":pileus-i") for line in saved.splitlines() if line.startswith(":pileus-i")}
    for short in sorted(found - wanted):
        yield short, "has filter rules, but is no port"
    for short in sorted(wanted - found):
        yield short, "is a port without filter rules"
