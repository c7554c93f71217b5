"""What other services report about servers: the network service changed addresses, the volume service grown volumes."""

import logging

from common import errors, rows, schema, wsgi
from common.rest import path
from conductor.db import actions, models

LOG = logging.getLogger(__name__)
TABLE = models.instances
EXTENDED = "volume-extended"
_BODY = schema.obj({"events": {"type": "array", "maxItems": 256, "items": schema.obj({
    "name": {"enum": ["network-changed", "network-vif-plugged", "network-vif-unplugged", "network-vif-deleted", EXTENDED]},
    "server_uuid": schema.UUID, "status": schema.TEXT, "tag": schema.TEXT}, ["name", "server_uuid"])}}, ["events"])


def refresh(service, uuid: str, known: list[dict]) -> list[dict]:
    """The network_info of a server's ports, from the network service: three requests, whatever their number.

    :param known: what it was so far. Only its ports are the server's, whatever others claim to be; what its host noted of
        a port (MTU, tag, static addresses) stays
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
    return [{**old[p["id"]], "network_id": p["network_id"], "network_name": names.get(p["network_id"], ""),
             "mac_address": p["mac_address"], "fixed_ips": [{**_same(old[p["id"]], ip), **ip} for ip in p["fixed_ips"]],
             "floating_ips": [{"floating": f["floating_ip_address"], "fixed": f["fixed_ip_address"]}
                              for f in floating if f["port_id"] == p["id"]]} for p in ports]


def _same(port: dict, ip: dict) -> dict:
    """What is known of an address already."""
    return next((k for k in port["fixed_ips"] if k["ip_address"] == ip["ip_address"]), {})


def store(service, uuid: str) -> bool:
    """Bring the network_info of a server up to date; False when there is no such server.

    What came while the network service was asked is left as it is: a port that was attached then is not lost.
    """
    with service.db.reader() as connection:
        row = rows.find(connection, TABLE, uuid, key="uuid")
    if row is None:
        return False
    known = row["network_info"]
    asked, found = {p["id"] for p in known}, {p["id"]: p for p in refresh(service, uuid, known)}
    return service.db.transact(_merge, uuid, asked, found)


def _merge(connection, uuid: str, asked: set[str], found: dict[str, dict]) -> bool:
    row = rows.find(connection, TABLE, uuid, key="uuid")
    if row is None:
        return False
    current = row["network_info"]
    merged = [found.get(p["id"], p) for p in current if p["id"] in found or p["id"] not in asked]
    if merged != current:
        rows.update_where(connection, TABLE, {"network_info": merged}, uuid=uuid)
    return True


def _extended(req, event: dict) -> int:
    """Have the server's host show the guest the new size of a volume; the code of the event's answer, as Nova's."""
    uuid, volume_id = event["server_uuid"], event.get("tag")
    if volume_id is None:
        return 400
    with req.svc.db.writer() as connection:
        row = rows.find(connection, TABLE, uuid, key="uuid")
        if row is None:
            return 404
        if row["host"] is None:
            return 422
        actions.start(connection, req.ctx, uuid, "extend_volume")
    LOG.info("volume %s of instance %s was extended; telling host %s", volume_id, uuid, row["host"])
    req.svc.send(req.svc.agents.extend_volume, req.ctx, row["host"], uuid, volume_id)
    return 200


@wsgi.body(_BODY)
def create(req, body):
    req.svc.policy.check(req.ctx, "os_compute_api:os-server-external-events:create", {})
    if req.version < (2, 51) and any(e["name"] == EXTENDED for e in body["events"]):
        raise errors.BadRequest(f"Invalid input for field/attribute name. Value: {EXTENDED}. It is an event since 2.51.")
    found = []
    for event in body["events"]:
        code = _extended(req, event) if event["name"] == EXTENDED else 200 if store(req.svc, event["server_uuid"]) else 404
        found.append({**event, "status": "completed" if code == 200 else "failed", "code": code})
    worst = 200 if all(e["code"] == 200 for e in found) else 207
    return wsgi.json_response({"events": found}, worst)
