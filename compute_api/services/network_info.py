"""The network_info of servers: the cached state of their ports, with addresses and floating IPs."""

from common import rows, server_states
from common.rest import path
from conductor.db import models

TABLE = models.instances


def _refreshed(service, uuid: str, known: list[dict]) -> list[dict]:
    """The network_info of a server's ports, from the network service: three requests, for any number of ports.

    :param known: the stored network_info. Only its ports are included, even if others claim to be the server's.
        Values that the host stored for a port (MTU, tag, static addresses) are kept.
    """
    if not known:
        return []
    query = {"id": [p["id"] for p in known], "relation": "compute"}
    ports = [p for p in service.rest.request("GET", "network", path("/v2.0/ports", query=query))["ports"]
             if p["device_id"] == uuid]
    if not ports:
        return []
    names = {n["id"]: n["name"] for n in service.rest.request(
        "GET", "network", path("/v2.0/networks", query={"id": sorted({p["network_id"] for p in ports})}))["networks"]}
    floating = service.rest.request("GET", "network", path("/v2.0/floatingips", query={
        "port_id": [p["id"] for p in ports]}))["floatingips"]
    old = {p["id"]: p for p in known}
    return [_joined(old[p["id"]], {
        "network_id": p["network_id"], "network_name": names.get(p["network_id"], ""), "mac_address": p["mac_address"],
        "fixed_ips": p["fixed_ips"], "floating_ips": [{"floating": f["floating_ip_address"], "fixed": f["fixed_ip_address"]}
                                                      for f in floating if f["port_id"] == p["id"]]}) for p in ports]


def _same(port: dict, ip: dict) -> dict:
    """The stored entry of an address."""
    return next((k for k in port["fixed_ips"] if k["ip_address"] == ip["ip_address"]), {})


def store(service, uuid: str) -> bool:
    """Update the network_info of a server; False if there is no such server.

    Concurrent changes are kept: a port that was attached during the requests is not lost.
    """
    with service.db.reader() as connection:
        row = rows.find(connection, TABLE, uuid, key="uuid")
    if row is None:
        return False
    known = row["network_info"]
    asked, found = {p["id"] for p in known}, {p["id"]: p for p in _refreshed(service, uuid, known)}
    return service.db.transact(_merge, uuid, asked, found)


def apply(service, uuid: str, ports: list[dict]) -> bool:
    """Apply changes reported by the network service to a server's ports; False if there is no such server.

    :param ports: [{"id", "network_id", "network_name", "mac_address", "fixed_ips", "floating_ips"}], as in
        network_info: all of the server's. Ports that are not in its network_info are ignored: its host has not attached them.
        From this release on, "security_groups" ([{"id", "name"}]) says whose rules they have.
    """
    groups = {g["id"]: g["name"] for p in ports for g in p.get("security_groups", [])}
    known = all("security_groups" in p for p in ports)
    return service.db.transact(_apply, uuid, {p["id"]: _without_groups(p) for p in ports}, groups if known else None)


def _without_groups(port: dict) -> dict:
    return {name: value for name, value in port.items() if name != "security_groups"}


def _apply(connection, uuid: str, ports: dict[str, dict], groups: dict[str, str] | None) -> bool:
    row = rows.find(connection, TABLE, uuid, key="uuid")
    if row is None:
        return False
    current = row["network_info"]
    now = {"network_info": [_joined(p, ports[p["id"]]) if p["id"] in ports else p for p in current]}
    if groups is not None and row["vm_state"] != server_states.BUILDING:  # whose host creates ports with those asked for
        now["security_groups"] = [{"id": id, "name": name} for id, name in groups.items()]
    if any(row[name] != value for name, value in now.items()):
        rows.update_where(connection, TABLE, now, uuid=uuid)
    return True


def _joined(known: dict, now: dict) -> dict:
    """A port as reported by the network service, with the values that the host stored for it (MTU, tag, static addresses)."""
    return {**known, **now, "fixed_ips": [{**_same(known, ip), **ip} for ip in now["fixed_ips"]]}


def _merge(connection, uuid: str, asked: set[str], found: dict[str, dict]) -> bool:
    row = rows.find(connection, TABLE, uuid, key="uuid")
    if row is None:
        return False
    current = row["network_info"]
    merged = [found.get(p["id"], p) for p in current if p["id"] in found or p["id"] not in asked]
    if merged != current:
        rows.update_where(connection, TABLE, {"network_info": merged}, uuid=uuid)
    return True
