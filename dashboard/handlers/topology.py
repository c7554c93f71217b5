"""The topology of the project's networks: a picture whose parts are links, and the same as a table."""

import dataclasses
import typing

from common import errors
from common.rest import path
from dashboard import session
from dashboard.asks import get, send, together
from dashboard.pages import render
from dashboard.panels import instances, networks, routers
from dashboard.texts import Text

# Lengths of the picture, in its own units.
_COLUMN, _ROW, _LEFT, _BOX = 150, 56, 20, 48
_MOST, _OTHERS = 60, 30
# What can be done in the picture: {kind: (panel, verbs of its actions)}
_NODES = {
    "instances": (instances.PANEL, ("vnc", "start", "stop", "attach-interface", "associate", "delete")),
    "networks": (networks.PANEL, ("subnet", "port", "edit", "delete")),
    "routers": (routers.PANEL, ("interface", "gateway", "clear-gateway", "delete"))}


@dataclasses.dataclass(frozen=True)
class Network:
    id: str
    name: str
    cidrs: str
    external: bool
    y: int


@dataclasses.dataclass(frozen=True)
class Device:
    """A router or an instance.

    :param href: of its page
    :param menu: of what can be done with it here
    :param links: (y of the network, address there) of each of its interfaces
    """

    kind: str
    href: str
    menu: str
    name: str
    status: str
    x: int
    links: tuple[tuple[int, str], ...]


def _networks(found: dict) -> dict[str, Network]:
    """External ones are above, and those in use before others."""
    used = {port["network_id"] for port in found["ports"]}
    ordered = sorted(found["networks"], key=lambda n: (not n["router:external"], n["id"] not in used, n["name"].lower()))
    return {n["id"]: Network(n["id"], n["name"] or n["id"], ", ".join(s["cidr"] for s in found["subnets"] if s[
        "network_id"] == n["id"]), n["router:external"], 20 + _ROW * at) for at, n in enumerate(ordered)}


def _devices(found: dict, networks: dict[str, Network]) -> list[Device]:
    links: dict[str, list[tuple[int, str]]] = {}
    for port in found["ports"]:
        if port["network_id"] in networks:
            addresses = ", ".join(ip["ip_address"] for ip in port["fixed_ips"])
            links.setdefault(port["device_id"], []).append((networks[port["network_id"]].y, addresses))
    for router in found["routers"]:
        outside = router["external_gateway_info"] or {}
        if outside.get("network_id") in networks:  # its port belongs to no project
            addresses = ", ".join(ip["ip_address"] for ip in outside.get("external_fixed_ips", ()))
            y = networks[outside["network_id"]].y
            mine = links.setdefault(router["id"], [])
            if all(at != y for at, _ in mine):
                mine.append((y, addresses))
    rows = [("Router", f"/project/routers/{r['id']}/", r["name"] or r["id"], r["status"], r["id"]) for r in found["routers"]]
    rows += [("Instance", f"/project/instances/{s['id']}/", s["name"], s["status"], s["id"]) for s in found["servers"]]
    return [Device(kind, href, href.replace("/project/", "/project/network_topology/"), name, status, _LEFT + _COLUMN * at,
                   _merged(links.get(id, ())))
            for at, (kind, href, name, status, id) in enumerate(rows)]


def _merged(links: typing.Iterable[tuple[int, str]]) -> tuple[tuple[int, str], ...]:
    """One link to each network, with all addresses there."""
    found: dict[int, list[str]] = {}
    for y, addresses in links:
        found.setdefault(y, []).append(addresses)
    return tuple((y, ", ".join(filter(None, of))) for y, of in sorted(found.items()))


def _asked(req, own: str) -> tuple[dict[str, list[dict]], bool]:
    """What the picture shows: the first routers and instances, the networks that these are connected to, those that are external,
    and some others; and whether there may be more of those. What is asked for does not grow with what else there is."""
    found = together(
        req, routers=get("network", path("/v2.0/routers", query={"project_id": own, "limit": _MOST + 1}), "routers"),
        servers=get("compute", path("/v2.1/servers/detail", query={"limit": _MOST + 1}), "servers", instead=[]),
        networks=get("network", path("/v2.0/networks", query={"project_id": own, "limit": _OTHERS}), "networks"),
        shared=get("network", path("/v2.0/networks", query={"shared": "true", "limit": _OTHERS}), "networks"),
        external=get("network", path("/v2.0/networks", query={"router:external": "true", "limit": _OTHERS}), "networks"))
    fewer = len(found["networks"]) >= _OTHERS
    networks = {network["id"]: network for network in (
        *found["networks"], *found.pop("shared"), *found.pop("external"))}
    devices = [row["id"] for row in (*found["routers"][:_MOST], *found["servers"][:_MOST])]
    of_devices = path("/v2.0/ports", query={"project_id": own, "device_id": devices})
    ports = send(req, get("network", of_devices, "ports")) if devices else []
    used = {port["network_id"] for port in ports} | {
        router["external_gateway_info"]["network_id"] for router in found["routers"] if router["external_gateway_info"]}
    more = sorted(used - set(networks))[:_MOST]
    if more:
        networks |= {n["id"]: n for n in send(req, get("network", path("/v2.0/networks", query={"id": more}), "networks"))}
    shown = {"network_id": list(networks)} if len(networks) <= _MOST * 2 else {}  # the URL must not become too long
    subnets = send(req, get("network", path("/v2.0/subnets", query={"fields": ["cidr", "network_id"], **shown}), "subnets"))
    return {**found, "networks": list(networks.values()), "ports": ports, "subnets": subnets}, fewer


def show(req):
    own = session.required(req).project_id
    found, fewer = _asked(req, own)
    networks = _networks(found)
    devices = _devices(found, networks)
    y = 20 + _ROW * len(networks)
    return render(req, "topology.html", networks=list(networks.values()), devices=devices[:_MOST], cut=len(devices) > _MOST,
                  width=_LEFT * 2 + _COLUMN * max(3, min(len(devices), _MOST)), height=y + _BOX + 20, y=y, box=_BOX,
                  column=_COLUMN, fewer=fewer)


def node(req, kind, id):
    """What can be done with a part of the picture, in a dialog."""
    active = session.required(req)
    if kind not in _NODES:
        raise errors.NotFound("There is no such page.")
    panel, verbs = _NODES[kind]
    assert panel.item is not None
    row = send(req, panel.item(req, id))
    own = panel.is_own(row, active.project_id)
    actions = [a for verb in verbs for a in panel.actions if own and a.verb == verb and a.when(row)]
    usable = kind == "networks" and networks.usable([row], active.project_id)
    links = ((f"/project/instances/launch/?network={row['id']}", Text("Launch instance here")),) if usable else ()
    return render(req, "node.html", row=row, name=panel.name_of(row), own=f"{panel.path}/{row['id']}", actions=actions,
                  links=links)
