"""Servers: list, show, create, update, delete."""

from common import errors, wsgi
from compute_api import create as creation
from compute_api import deletion, microversions, views
from compute_api.handlers import paging
from compute_api.schemas import servers as schemas
from compute_api.services import server_lists, servers
from compute_api.services import topology as numa


def _listed(req, rows: list[dict], shown: list[dict]) -> dict:
    """The response of a page: the servers, and the link to the next page."""
    links = paging.next_links(req, rows, "uuid")
    return {"servers": shown, **({"servers_links": links} if links else {})}


def index(req):
    found = server_lists.brief(req.call, paging.query(req), paging.limit(req))
    return _listed(req, found, [views.brief(req, r) for r in found])


def detail(req):
    found, viewer = server_lists.detailed(req.call, paging.query(req), paging.limit(req))
    return _listed(req, found, [views.server(req, r, viewer) for r in found])


def show(req, id):
    row, viewer = servers.show(req.call, id)
    return {"server": views.whole(req, row, viewer)}


def topology(req, id):
    return numa.show(req.call, id)


def create(req):
    made, password, reservation = creation.create(req.call, req.json_object())
    if reservation:
        return wsgi.json_response({"reservation_id": made[0]["reservation_id"]}, 202)
    row = made[0]
    response = wsgi.json_response({"server": {
        "id": row["uuid"], "links": views.links(req, "servers", row["uuid"]), "OS-DCF:diskConfig": row["disk_config"],
        "security_groups": [{"name": g["name"]} for g in row["security_groups"]] or [{"name": "default"}],
        "adminPass": password}}, 202)
    response.location = f"{req.base_url()}/v2.1/servers/{row['uuid']}"
    return response


_COLUMN = {"name": "display_name", "OS-DCF:diskConfig": "disk_config", "accessIPv4": "access_ip_v4",
           "accessIPv6": "access_ip_v6", "description": "description", "hostname": "hostname",
           "pinned_availability_zone": "pinned_availability_zone"}
_SINCE = {"description": (2, 19), "hostname": (2, 90), "pinned_availability_zone": (2, 104)}


@wsgi.body(schemas.UPDATE_BODY)
def update(req, id, body):
    given = body["server"]
    microversions.check_names(req.call, given, _SINCE)
    microversions.check_host_name(req.call, given)
    values = {_COLUMN[k]: v for k, v in given.items()}
    if "display_name" in values:
        values["display_name"] = values["display_name"].strip()
    for version in (4, 6):
        if f"access_ip_v{version}" in values:
            values[f"access_ip_v{version}"] = creation.address(values[f"access_ip_v{version}"], version)
    changed, viewer = servers.update(req.call, id, values)
    return {"server": views.updated(req, changed, viewer)}


def delete(req, id):
    deletion.delete(req.call, id, "os_compute_api:servers:delete")


def _ips(req, id, rule: str) -> dict:
    row = servers.get(req.call, id, rule)
    return {k: [{"version": a["version"], "addr": a["addr"]} for a in v] for k, v in views.addresses(row).items()}


def ips(req, id):
    return {"addresses": _ips(req, id, "os_compute_api:ips:index")}


def ips_of(req, id, label):
    found = _ips(req, id, "os_compute_api:ips:show")
    if label not in found:
        raise errors.NotFound("Instance is not a member of specified network")
    return {label: found[label]}
