"""Snapshots of volumes: list, create, show, update, delete, metadata, and the operator's actions on them."""

import sqlalchemy as sa

from common import context, db, errors, rows, schema, wsgi
from volume.db import snapshots, volumes
from volume.handlers import lists
from volume.handlers.volumes import sort_keys

TABLE = snapshots.TABLE
_TEXTS = {"name": schema.TEXT, "description": schema.TEXT, "display_name": schema.TEXT, "display_description": schema.TEXT}


def view(row: dict, *, detailed: bool) -> dict:
    shown = {k: row[k] for k in ("id", "name", "description", "volume_id", "status", "metadata")}
    shown.update(size=row["volume_size"], created_at=db.iso(row["created_at"], zulu=False, micro=True),
                 updated_at=db.iso(row["updated_at"], zulu=False, micro=True))
    if detailed:
        progress = "100%" if row["status"] == "available" else "0%"
        shown.update({"os-extended-snapshot-attributes:project_id": row["project_id"],
                      "os-extended-snapshot-attributes:progress": progress})
    return shown


def _detailed(req, row: dict) -> dict:
    shown = view(row, detailed=True)
    if req.version >= (3, 14):
        shown["group_snapshot_id"] = None
    if req.version >= (3, 41):
        shown["user_id"] = row["user_id"]
    if req.version >= (3, 65):
        shown["consumes_quota"] = True
    return shown


def _list(req, show) -> dict:
    req.svc.policy.check(req.ctx, "volume:get_all", {"project_id": req.ctx.project_id})
    everyone = volumes.may_see_all(req.ctx) and wsgi.bool_value(req.GET.get("all_tenants", req.GET.get("all_projects", "0")))
    conditions = [] if everyone else [TABLE.c.project_id == req.ctx.project_id]
    conditions += lists.conditions(req, TABLE)
    conditions += [TABLE.c[k] == v for k, v in req.GET.items() if k in ("id", "name", "status", "volume_id")
                   or (k == "project_id" and everyone)]
    limit = min(wsgi.int_param(req, "limit", 1000), 1000)
    with req.svc.db.reader() as connection:
        count = lists.count(req, connection, TABLE, conditions)
        marker = req.GET.get("marker")
        marker_row = snapshots.get(connection, req.ctx, marker) if marker else None
        query = db.page(sa.select(TABLE).where(*conditions), TABLE, sort=sort_keys(req, TABLE), limit=limit,
                        marker_row=marker_row).offset(wsgi.int_param(req, "offset", 0) or None)
        found = rows.many(connection, query) if limit else []
    return {"snapshots": [show(r) for r in found], **lists.more(req, "snapshots", found, limit), **count}


def index(req):
    return _list(req, lambda row: view(row, detailed=False))


def detail(req):
    return _list(req, lambda row: _detailed(req, row))


def show(req, id):
    with req.svc.db.reader() as connection:
        row = snapshots.get(connection, req.ctx, id)
    req.svc.policy.check(req.ctx, "volume:get", {"project_id": row["project_id"]})
    return {"snapshot": _detailed(req, row)}


@wsgi.body(schema.wrapped("snapshot", {
    **_TEXTS, "volume_id": {"oneOf": [schema.UUID, {"type": "null"}]}, "force": {"oneOf": [schema.BOOLEAN, {"type": "null"}]},
    "metadata": {"oneOf": [schema.METADATA, {"type": "null"}]}}, ["volume_id"]))
def create(req, body):
    given, at = body["snapshot"], db.now()
    with req.svc.db.writer() as connection:
        volume = volumes.get(connection, req.ctx, given["volume_id"])
        req.svc.policy.check(req.ctx, "volume:create_snapshot", {"project_id": volume["project_id"]})
        force = given.get("force")
        if req.version >= (3, 66) and force is not None and not wsgi.bool_value(force):
            raise errors.BadRequest("Invalid input received: the force flag is invalid for microversions 3.66 and above.")
        allowed = ("available", "in-use") if req.version >= (3, 66) or wsgi.bool_value(force or False) else ("available",)
        if volume["status"] not in allowed:
            raise errors.BadRequest(f"Invalid volume: Volume {volume['id']} status must be {' or '.join(allowed)}, but "
                                    f"current status is: {volume['status']}.")
        volumes.check_quota(connection, req.svc.conf, volume["project_id"], volume["size"], 0, snapshots=1)
        row = {"id": context.new_uuid(), "name": given.get("name", given.get("display_name")),
               "description": given.get("description", given.get("display_description")),
               "project_id": volume["project_id"], "user_id": req.ctx.user_id, "volume_id": volume["id"],
               "volume_size": volume["size"], "status": "creating", "fault": None,
               "metadata": given.get("metadata") or {}, "request_id": req.ctx.trace_id, "created_at": at, "updated_at": at}
        rows.insert(connection, TABLE, row)
    req.svc.send(req.svc.agents.create_snapshot, req.ctx, volume["host"], row["id"])
    return {"snapshot": view(row, detailed=False)}


@wsgi.body(schema.wrapped("snapshot", _TEXTS))
def update(req, id, body):
    given = body["snapshot"]
    values = {new: given[k] for k, new in (("display_name", "name"), ("display_description", "description"),
                                           ("name", "name"), ("description", "description")) if k in given}
    if not values:
        raise errors.BadRequest("Invalid input: nothing to change was given.")
    return {"snapshot": view(_change(req, id, lambda row: values), detailed=False)}


def _change(req, id, edit) -> dict:
    with req.svc.db.writer() as connection:
        row = snapshots.get(connection, req.ctx, id)
        req.svc.policy.check(req.ctx, "volume:update", {"project_id": row["project_id"]})
        rows.update(connection, TABLE, id, {**edit(row), "updated_at": db.now()}, resource="snapshot")
        return snapshots.get(connection, req.ctx, id)


def delete(req, id, *, force: bool = False):
    with req.svc.db.writer() as connection:
        row = snapshots.get(connection, req.ctx, id)
        req.svc.policy.check(req.ctx, "volume:force_delete" if force else "volume:delete", {"project_id": row["project_id"]})
        if snapshots.being_copied(connection, snapshot_id=id):
            raise errors.BadRequest("Invalid snapshot: a volume is being made of it.")
        if force:
            rows.update(connection, TABLE, id, {"status": "error"}, resource="snapshot")
        snapshots.move(connection, id, "delete")
        host = volumes.get(connection, req.ctx, row["volume_id"])["host"]
    req.svc.send(req.svc.agents.delete_snapshot, req.ctx, host, id)


def act(req, id):
    """The operator's actions: set a status, or delete whatever the status."""
    body = req.json_object()
    name, arguments = next(iter(body.items()), ("", None))
    if len(body) == 1 and name == "os-force_delete":
        delete(req, id, force=True)
    elif len(body) == 1 and name in ("os-reset_status", "os-update_snapshot_status"):
        _STATUS(arguments)
        req.svc.policy.check(req.ctx, "volume:reset_status", {})
        _change(req, id, lambda row: {"status": arguments["status"]})
    else:
        raise errors.BadRequest(f"There is no such action: {', '.join(sorted(body))[:100]}")


_STATUS = schema.compiled(schema.obj({"status": {"enum": ["available", "creating", "deleting", "error", "error_deleting"]},
                                      "progress": schema.TEXT}, ["status"]))


def metadata(req, id) -> dict:
    return show(req, id)["snapshot"]["metadata"]


def change_metadata(req, id, edit) -> dict:
    return _change(req, id, lambda row: {"metadata": edit(row["metadata"])})["metadata"]
