"""What other services report about servers. The network service says when addresses changed."""

import sqlalchemy as sa

from common import schema, wsgi
from common.rest import path
from conductor.db import models

TABLE = models.instances
_BODY = schema.obj({"events": {"type": "array", "maxItems": 256, "items": schema.obj({
    "name": {"enum": ["network-changed", "network-vif-plugged", "network-vif-unplugged", "network-vif-deleted"]},
    "server_uuid": schema.UUID, "status": schema.TEXT, "tag": schema.TEXT}, ["name", "server_uuid"])}}, ["events"])


def refresh(service, uuid: str, known: list[dict]) -> list[dict]:
    """The picture of a server's ports, from the network service: three requests, whatever their number.

    :param known: the picture so far; what its host noted of a port (MTU, tag, static addresses) stays
    """
    ports = service.rest.request("GET", "network", path("/v2.0/ports", query={"device_id": uuid, "relation": "compute"}))["ports"]
    if not ports:
        return []
    names = {n["id"]: n["name"] for n in service.rest.request(
        "GET", "network", path("/v2.0/networks", query={"id": sorted({p["network_id"] for p in ports})}))["networks"]}
    floating = service.rest.request("GET", "network", path("/v2.0/floatingips", query={
        "port_id": [p["id"] for p in ports]}))["floatingips"]
    old = {p["id"]: p for p in known}
    return [{**old.get(p["id"], {}), "id": p["id"], "network_id": p["network_id"], "network_name": names.get(p["network_id"], ""),
             "mac_address": p["mac_address"], "fixed_ips": [{**_same(old.get(p["id"]), ip), **ip} for ip in p["fixed_ips"]],
             "floating_ips": [{"floating": f["floating_ip_address"], "fixed": f["fixed_ip_address"]}
                              for f in floating if f["port_id"] == p["id"]]} for p in ports]


def _same(port: dict | None, ip: dict) -> dict:
    """What is known of an address already."""
    return next((k for k in (port or {}).get("fixed_ips", []) if k["ip_address"] == ip["ip_address"]), {})


def store(service, uuid: str) -> bool:
    """Write the picture of a server's ports into its row; False when there is no such server."""
    with service.db.reader() as connection:
        known = connection.execute(sa.select(TABLE.c.network_info).where(TABLE.c.uuid == uuid)).scalar()
    if known is None:
        return False
    picture = refresh(service, uuid, known)
    with service.db.writer() as connection:
        return connection.execute(sa.update(TABLE).where(TABLE.c.uuid == uuid).values(network_info=picture)).rowcount > 0


@wsgi.body(_BODY)
def create(req, body):
    req.svc.policy.check(req.ctx, "external_events", {})
    found = []
    for event in body["events"]:
        code = 200 if store(req.svc, event["server_uuid"]) else 404
        found.append({**event, "status": "completed" if code == 200 else "failed", "code": code})
    worst = 200 if all(e["code"] == 200 for e in found) else 207
    return wsgi.json_response({"events": found}, worst)
