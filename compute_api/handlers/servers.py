"""Servers: list, show, create, update, delete."""

import urllib.parse

import sqlalchemy as sa

from common import db, errors, regex, rows, schema, tags, wsgi
from compute_api import changes, microversions, views
from compute_api import create as creation
from conductor.db import actions, hosts, instances, machine, models
from conductor.manager import forget

TABLE = models.instances
_SORTABLE = {"created_at", "updated_at", "display_name", "uuid", "vm_state", "task_state", "host", "launched_at",
             "user_id", "project_id", "locked", "key_name", "power_state", "availability_zone", "image_ref", "root_device_name"}
_RENAMED = {"name": "display_name", "image": "image_ref", "id": "uuid"}
_MAX = 1000
_FILTERS = ("access_ip_v4", "access_ip_v6", "all_tenants", "auto_disk_config", "availability_zone", "block_device_mapping",
            "changes-before", "changes-since", "config_drive", "created_at", "deleted", "description", "display_description",
            "display_name", "flavor", "host", "hostname", "image", "image_ref", "ip", "ip6", "kernel_id", "key_name",
            "launch_index", "launched_at", "limit", "locked", "marker", "name", "node", "not-tags", "not-tags-any",
            "power_state", "progress", "project_id", "ramdisk_id", "reservation_id", "root_device_name", "services",
            "soft_deleted", "sort_dir", "sort_key", "status", "system_metadata", "tags", "tags-any", "task_state",
            "tenant_id", "terminated_at", "user_id", "uuid", "vm_state")


def locked_out(req, row: dict) -> None:
    """:raises Conflict: the server is locked and this caller may not overrule that"""
    if row["locked"] and not req.svc.policy.allows(req.ctx, "servers:unlock_override", {}):
        raise errors.Conflict(f"Instance {row['uuid']} is locked")


def load(req, connection, id: str, rule: str) -> dict:
    """The instance, if the caller may see it and do what the rule is about."""
    row = instances.get(connection, req.ctx, id)
    req.svc.policy.check(req.ctx, rule, {"project_id": row["project_id"], "user_id": row["user_id"]})
    return row


def _status_filter(req, values: list[str]):
    found = []
    for value in values:
        condition = machine.conditions_of(value.upper())
        if condition is None and req.version >= (2, 38):
            raise errors.BadRequest(f"Invalid status value: {value}")
        found.append(sa.false() if condition is None else condition)
    return sa.or_(*found)


def _named(connection, raw: str, scope: list):
    """A name filter is a regular expression; without signs of one it is a part of the name."""
    if not set(raw) & set("\\^$.[](){}|*+?"):
        return TABLE.c.display_name.contains(raw, autoescape=True)
    return regex.condition(connection, TABLE.c.display_name, raw, scope, "name")


def _address(name: str, raw: str):
    return sa.cast(TABLE.c.network_info, sa.Text).contains(f'"ip_address": "{raw.strip("^$")}', autoescape=True)


def _conditions(req, connection) -> list:
    microversions.check_query(req, _FILTERS)
    everyone = wsgi.bool_value(req.GET["all_tenants"]) if "all_tenants" in req.GET else False
    if everyone:
        req.svc.policy.check(req.ctx, "servers:all", {})
    found = [] if everyone else [TABLE.c.project_id == req.ctx.project_id]
    found += changes.conditions(req, TABLE.c.updated_at)
    simple = {"image": "image_ref", "user_id": "user_id", "project_id": "project_id", "tenant_id": "project_id",
              "uuid": "uuid", "key_name": "key_name", "vm_state": "vm_state", "task_state": "task_state",
              "availability_zone": "availability_zone", "reservation_id": "reservation_id",
              "power_state": "power_state", "description": "description", "launch_index": "launch_index"}
    admin = {"host": "host", "node": "host", "hostname": "hostname"}
    for name in set(req.GET):
        values = req.GET.getall(name)
        if name == "status":
            found.append(_status_filter(req, values))
        elif name in ("name", "display_name"):
            found.append(_named(connection, values[-1], found[:1]))
        elif name == "flavor":
            found.append(TABLE.c.flavor["id"].as_string() == values[-1])
        elif name in ("ip", "ip6"):
            found.append(_address(name, values[-1]))
        elif name == "locked" and req.version >= (2, 73):
            found.append(TABLE.c.locked == wsgi.bool_value(values[-1]))
        elif name == "deleted" and req.ctx.is_admin and wsgi.bool_value(values[-1]):
            found.append(sa.false())  # rows of deleted servers are not kept
        elif name in tags.FILTERS and req.version >= (2, 26):
            found.append(tags.condition(TABLE.c.tags, name, values[-1:]))
        elif name in simple and (name not in ("project_id", "tenant_id") or everyone):
            found.append(TABLE.c[simple[name]] == values[-1])
        elif name in admin and req.ctx.is_admin:
            found.append(TABLE.c[admin[name]] == values[-1])
    return found


def _sort(req) -> list[tuple[str, str]]:
    names = [_RENAMED.get(n, n) for n in req.GET.getall("sort_key")]
    directions = req.GET.getall("sort_dir")
    if any(n not in _SORTABLE for n in names) or any(d not in ("asc", "desc") for d in directions):
        raise errors.BadRequest("Invalid sort key or direction.")
    return list(zip(names, directions + ["desc"] * len(names))) or [("created_at", "desc")]


def _list(req) -> tuple[list[dict], list[dict], dict]:
    req.svc.policy.check(req.ctx, "servers:index", {"project_id": req.ctx.project_id})
    limit = min(wsgi.int_param(req, "limit", _MAX), _MAX)
    up: dict = {}
    with req.svc.db.reader() as connection:
        marker = req.GET.get("marker")
        try:
            marker_row = instances.get(connection, req.ctx, marker) if marker else None
        except errors.NotFound:
            raise errors.BadRequest(f"marker [{marker}] not found") from None
        query = db.page(sa.select(TABLE).where(*_conditions(req, connection)), TABLE, sort=_sort(req), limit=limit,
                        marker_row=marker_row, unique="uuid")
        found = instances.complete(connection, rows.many(connection, query)) if limit else []
        if req.version >= (2, 16) and req.ctx.is_admin:
            up = {n["host"]: hosts.is_up(n, req.svc.conf.service_down_time) for n in hosts.all_nodes(connection)}
    links = []
    if limit and "limit" in req.GET and len(found) == limit:
        query_string = urllib.parse.urlencode([(k, v) for k, v in req.GET.items() if k != "marker"]
                                              + [("marker", found[-1]["uuid"])])
        links.append({"rel": "next", "href": f"{req.path_url}?{query_string}"})
    return found, links, up


def index(req):
    found, links, _ = _list(req)
    body = {"servers": [views.brief(req, r) for r in found]}
    return {**body, "servers_links": links} if links else body


def detail(req):
    found, links, up = _list(req)
    body = {"servers": [views.server(req, r, host_up=up.get(r["host"])) for r in found]}
    return {**body, "servers_links": links} if links else body


def show(req, id):
    with req.svc.db.reader() as connection:
        row = load(req, connection, id, "servers:show")
        return {"server": views.whole(req, row, host_up=_host_up(req, connection, row))}


def _host_up(req, connection, row: dict) -> bool | None:
    """Whether a server's host answers, for those who see it; else None."""
    if req.version < (2, 16) or not req.ctx.is_admin or not row["host"]:
        return None
    return hosts.service_up(connection, row["host"], req.svc.conf.service_down_time)


def topology(req, id):
    """Of NUMA: no guest here is given cells, pinned CPUs or huge pages."""
    with req.svc.db.reader() as connection:
        load(req, connection, id, "servers:show")
    return {"nodes": [], "pagesize_kb": None}


def create(req):
    made, password, reservation = creation.create(req)
    if reservation:
        return wsgi.json_response({"reservation_id": made[0]["reservation_id"]}, 202)
    row = made[0]
    response = wsgi.json_response({"server": {
        "id": row["uuid"], "links": views.links(req, "servers", row["uuid"]), "OS-DCF:diskConfig": row["disk_config"],
        "security_groups": [{"name": g["name"]} for g in row["security_groups"]],
        "adminPass": password}}, 202)
    response.location = f"{req.base_url()}/v2.1/servers/{row['uuid']}"
    return response


_UPDATE = {"name": schema.NAME, "OS-DCF:diskConfig": {"enum": ["AUTO", "MANUAL"]},
           "accessIPv4": {"type": ["string", "null"], "maxLength": 39},
           "accessIPv6": {"type": ["string", "null"], "maxLength": 39}, "description": schema.TEXT}
_COLUMN = {"name": "display_name", "OS-DCF:diskConfig": "disk_config", "accessIPv4": "access_ip_v4",
           "accessIPv6": "access_ip_v6", "description": "description"}


@wsgi.body(schema.wrapped("server", _UPDATE))
def update(req, id, body):
    given = body["server"]
    microversions.check_names(req, given, {"description": (2, 19)})
    values = {_COLUMN[k]: v for k, v in given.items()}
    if "display_name" in values:
        values["display_name"] = values["display_name"].strip()
    for version in (4, 6):
        if f"access_ip_v{version}" in values:
            values[f"access_ip_v{version}"] = creation.address(values[f"access_ip_v{version}"], version)
    with req.svc.db.writer() as connection:
        row = load(req, connection, id, "servers:update")
        if values:
            connection.execute(sa.update(TABLE).where(TABLE.c.uuid == id).values(updated_at=db.now(), **values))
        return {"server": views.updated(req, {**row, **values}, host_up=_host_up(req, connection, row))}


def begin_delete(req, connection, row: dict) -> str:
    """Move a server to deleting; what never had a host is forgotten at once. Returns "done", "remote" or "local"."""
    locked_out(req, row)
    uuid = row["uuid"]
    machine.begin(connection, uuid, "delete", request_id=req.ctx.request_id)
    actions.start(connection, req.ctx, uuid, "delete")
    if row["host"] is None and not row["block_devices"]:
        forget(connection, row)
        return "done"
    if row["host"] is None:
        return "local"
    return "remote" if hosts.service_up(connection, row["host"], req.svc.conf.service_down_time) else "local"


def delete(req, id):
    """A server whose host is down is left to the conductor, which deletes what it can reach."""
    with req.svc.db.writer() as connection:
        row = load(req, connection, id, "servers:delete")
        where = begin_delete(req, connection, row)
    req.svc.notifier.tell(req.ctx, "compute.instance.delete.start", instances.told(row))
    if where == "remote":
        req.svc.send(req.svc.agents.delete, req.ctx, row["host"], id)


def ips(req, id):
    with req.svc.db.reader() as connection:
        row = load(req, connection, id, "servers:show")
    return {"addresses": {k: [{"version": a["version"], "addr": a["addr"]} for a in v]
                          for k, v in views.addresses(row).items()}}


def ips_of(req, id, label):
    found = ips(req, id)["addresses"]
    if label not in found:
        raise errors.NotFound("Instance is not a member of specified network")
    return {label: found[label]}
