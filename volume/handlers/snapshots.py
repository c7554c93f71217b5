"""Snapshots of volumes: list, create, show, update, delete, metadata, and the operator's actions on them."""

from common import context, db, errors, rows, schema, wsgi
from common.unsupported import unknown_action
from volume import access, unsupported, views
from volume.db import snapshots, volumes
from volume.handlers import filters, lists
from volume.handlers.metadata import Metadata

TABLE = snapshots.TABLE
_TEXTS = {"name": schema.TEXT, "description": schema.TEXT, "display_name": schema.TEXT, "display_description": schema.TEXT}


FILTERS = {
    **{name: filters.text(TABLE.c[name]) for name in (
        "id", "name", "description", "status", "volume_id", "project_id", "user_id")},
    "display_name": filters.text(TABLE.c.name), "display_description": filters.text(TABLE.c.description),
    "volume_size": filters.number(TABLE.c.volume_size), "metadata": filters.entries(TABLE.c["metadata"], since=(3, 22)),
    "availability_zone": filters.Filter(lambda value, req: snapshots.of_volumes(availability_zone=value)),
    "host": filters.Filter(lambda value, req: snapshots.of_volumes(host=value.partition("@")[0]), trusted=True),
    "created_at": filters.moment(TABLE.c.created_at), "updated_at": filters.moment(TABLE.c.updated_at),
    "consumes_quota": filters.ALL_CONSUME_QUOTA,
    **dict.fromkeys(("group_snapshot_id", "cgsnapshot_id", "encryption_key_id", "cluster_name"), filters.NEVER),
}


def _list(req, show) -> dict:
    conditions = lists.whose(req, TABLE, "volume:get_all_snapshots") + filters.conditions(req, FILTERS)
    with req.svc.db.reader() as connection:
        count = lists.count(req, connection, TABLE, conditions)
        found, limit = lists.page(req, connection, TABLE, conditions,
                                  lambda marker: access.snapshot(req, connection, marker))
    return {"snapshots": [show(r) for r in found], **lists.more(req, "snapshots", found, limit), **count}


def index(req):
    return _list(req, views.snapshot)


def detail(req):
    return _list(req, lambda row: views.detailed_snapshot(req, row))


def show(req, id):
    with req.svc.db.reader() as connection:
        row = access.snapshot(req, connection, id, "volume:get_snapshot")
    return {"snapshot": views.detailed_snapshot(req, row)}


@wsgi.body(schema.wrapped("snapshot", {
    **_TEXTS, "volume_id": {"oneOf": [schema.UUID, {"type": "null"}]}, "force": {"oneOf": [schema.BOOLEAN, {"type": "null"}]},
    "metadata": {"oneOf": [schema.METADATA, {"type": "null"}]}}, ["volume_id"]))
def create(req, body):
    given, at = body["snapshot"], db.now()
    with req.svc.db.writer() as connection:
        volume = access.volume(req, connection, given["volume_id"], "volume:create_snapshot")
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
    return {"snapshot": views.snapshot(row)}


@wsgi.body(schema.wrapped("snapshot", _TEXTS))
def update(req, id, body):
    given = body["snapshot"]
    values = {new: given[k] for k, new in (("display_name", "name"), ("display_description", "description"),
                                           ("name", "name"), ("description", "description")) if k in given}
    if not values:
        raise errors.BadRequest("Invalid input: nothing to change was given.")
    return {"snapshot": views.snapshot(_change(req, id, ("volume:get_snapshot", "volume:update_snapshot"), lambda row: values))}


def _change(req, id, rules: tuple[str, ...], edit) -> dict:
    with req.svc.db.writer() as connection:
        row = access.snapshot(req, connection, id, *rules)
        return rows.change(connection, TABLE, row, edit(row), resource="snapshot")


def delete(req, id, *, force: bool = False):
    forced = ("volume_extension:snapshot_admin_actions:force_delete",) if force else ()
    with req.svc.db.writer() as connection:
        row = access.snapshot(req, connection, id, "volume:get_snapshot", *forced, "volume:delete_snapshot")
        if snapshots.being_copied(connection, snapshot_id=id):
            raise errors.BadRequest("Invalid snapshot: a volume is being made of it.")
        if force:
            rows.update(connection, TABLE, id, {"status": "error"}, resource="snapshot")
        snapshots.move(connection, id, "delete")
        host = volumes.get(connection, None, row["volume_id"])["host"]
    req.svc.send(req.svc.agents.delete_snapshot, req.ctx, host, id)


# Actions ------------------------------------------------------------------------

_STATUSES = ["available", "creating", "deleting", "error", "error_deleting"]
_CHECKS = {"os-reset_status": schema.compiled(schema.obj({"status": {"enum": _STATUSES}}, ["status"])),
           "os-force_delete": schema.compiled({"type": ["object", "null"]}),
           "os-update_snapshot_status": schema.compiled(schema.obj(
               {"status": {"enum": _STATUSES}, "progress": schema.TEXT}, ["status"]))}
# How the creation or deletion of a snapshot may be said to have gone.
_REPORTS = {"creating": ("creating", "available", "error"), "deleting": ("deleting", "error_deleting")}
ACTIONS = tuple(_CHECKS)


def act(req, id):
    body = req.json_object()
    name, arguments = next(iter(body.items()), ("", None))
    if len(body) != 1 or name not in _CHECKS:
        raise unknown_action(body, unsupported.ACTIONS)
    _CHECKS[name](arguments)
    if name == "os-force_delete":
        delete(req, id, force=True)
    elif name == "os-reset_status":
        _change(req, id, ("volume_extension:snapshot_admin_actions:reset_status",), lambda row: {"status": arguments["status"]})
    else:
        _change(req, id, ("snapshot_extension:snapshot_actions:update_snapshot_status",),
                lambda row: _reported(row, arguments["status"]))


def _reported(row: dict, status: str) -> dict:
    if row["status"] not in _REPORTS:
        raise errors.BadRequest(f"Snapshot status {row['status']} not allowed for update_snapshot_status")
    if status not in _REPORTS[row["status"]]:
        raise errors.BadRequest(f"Provided snapshot status {status} not allowed for snapshot with status {row['status']}.")
    return {"status": status}


# Metadata -----------------------------------------------------------------------

def metadata(req, id, rule: str) -> dict:
    with req.svc.db.reader() as connection:
        return access.snapshot(req, connection, id, "volume:get_snapshot", rule)["metadata"]


def change_metadata(req, id, rules: tuple[str, ...], edit) -> dict:
    return _change(req, id, ("volume:get_snapshot", *rules), lambda row: {"metadata": edit(row["metadata"])})["metadata"]


METADATA = Metadata(metadata, change_metadata, get="volume:get_snapshot_metadata", create="volume:update_snapshot_metadata",
                    update="volume:update_snapshot_metadata", delete="volume:delete_snapshot_metadata")
