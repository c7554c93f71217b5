"""Compares the devices and filters in a host's kernel with the desired state."""

import subprocess

from network.agent import dhcp, routers
from network.agent.links import Links, bridge_name, namespaces, tap_name


def inventory() -> dict:
    """{"tap", "bridge", "namespace": [names], "filter": [first 11 characters of ports' ids]}"""
    links = Links()
    try:
        have = links.names()
    finally:
        links.close()
    saved = subprocess.run(["iptables-save", "-t", "filter"], capture_output=True, text=True).stdout
    return {"tap": [n for n in have if n.startswith("tap") and len(n) == 14],
            "bridge": [n for n in have if n.startswith("brq") and len(n) == 14],
            "namespace": [n for prefix in ("qdhcp-", *routers.PREFIXES) for n in namespaces(prefix)],
            "filter": [line.split()[0].removeprefix(":pileus-i") for line in saved.splitlines()
                       if line.startswith(":pileus-i")]}


def compare(state: dict, found: dict):
    """Yield (name, text) for each difference.

    :param state: the result of ``network.db.state.of_host``
    :param found: the host's ``inventory``
    """
    here = [p for p in state["ports"] if p["here"]]
    served = [n for n in state["networks"] if dhcp.wanted(n)]
    legs = [leg for r in state["routers"] for leg in [*r["interfaces"], *([r["gateway"]] if r["gateway"] else [])]]
    wanted = {"tap": {tap_name(x["id"]) for x in [*here, *legs, *[n["dhcp_port"] for n in served]]},
              "bridge": {bridge_name(n["id"]) for n in state["networks"] if not n["physical"]},
              "namespace": {dhcp.namespace(n["id"]) for n in served} | {routers.namespace(r) for r in state["routers"]}}
    for kind, names in wanted.items():
        for name in sorted(set(found[kind]) - names):
            yield name, f"is a {kind} without a network"
        for name in sorted(names - set(found[kind])):
            yield name, f"is a {kind} that is missing"
    filtered = {p["id"][:11] for p in here if p["port_security_enabled"]}
    for short in sorted(set(found["filter"]) - filtered):
        yield short, "has filter rules, but is not a port"
    for short in sorted(filtered - set(found["filter"])):
        yield short, "is a port without filter rules"
