"""Ports by name, and what uses them: instances, routers, and services of a network."""

from common.rest import path
from dashboard.asks import Ask, get, together
from dashboard.panel import Row
from dashboard.texts import Text

_SERVICES = {"network:dhcp": Text("DHCP"), "network:floatingip": Text("Floating IP"),
             "network:floatingip_agent_gateway": Text("Gateway of floating IPs"), "network:metadata": Text("Metadata")}


def port_link(port: Row) -> list[tuple[str, str]]:
    return [(f"/project/ports/{port['id']}/", port["name"] or port["id"])]


def _is_router(port: Row) -> bool:
    return port["device_owner"].startswith(("network:router", "network:ha_router"))


def asks(query: dict[str, str] | None = None) -> dict[str, Ask]:
    """What gives devices their names. :param query: of the list of instances"""
    return {"servers": get("compute", path("/v2.1/servers", query={"limit": 1000, **(query or {})}), "servers", instead=[]),
            "routers": get("network", path("/v2.0/routers", query={"fields": ["id", "name"]}), "routers", instead=[])}


def asked(req, ports: list[Row], query: dict[str, str] | None = None) -> dict[str, list[Row]]:
    """The answers to ``asks``, of which only what these ports need is sent."""
    needed = {"routers" if _is_router(port) else "servers" for port in ports if port["device_id"] and not _service(port)}
    wanted = {name: ask for name, ask in asks(query).items() if name in needed}
    return together(req, **wanted) if wanted else {}


def _service(port: Row) -> str:
    return _SERVICES.get(port["device_owner"], "")


def name_users(ports: list[Row], found: dict[str, list[Row]]) -> list[Row]:
    """Give each port a link to what uses it, as ``used_by``.

    :param found: the answers to ``asks``
    """
    names = {each["id"]: each["name"] for of in ("servers", "routers") for each in found.get(of, ())}
    for port in ports:
        id = port["device_id"]
        name = names.get(id) or id
        if service := _service(port):
            port["used_by"] = [("", service)]
        elif id and _is_router(port):
            port["used_by"] = [(f"/project/routers/{id}/", Text("Router {name}", name=name))]
        elif id and port["device_owner"].startswith("compute:"):
            port["used_by"] = [(f"/project/instances/{id}/", Text("Instance {name}", name=name))]
        else:
            port["used_by"] = [("", port["device_owner"] or id)] if port["device_owner"] or id else []
    return ports
