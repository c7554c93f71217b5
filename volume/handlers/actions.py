"""Actions on a volume: one POST, the body's only key says which."""

from common import db, errors, rows, schema, wsgi
from volume.db import volumes
from volume.handlers.volumes import begin_delete

_STATES = ["creating", "available", "deleting", "error", "error_deleting", "attaching", "detaching", "in-use",
           "reserved", "error_extending"]
_SCHEMAS = {
    "os-reset_status": schema.obj({"status": {"enum": _STATES}, "attach_status": schema.TEXT,
                                   "migration_status": schema.TEXT}),
    "os-force_delete": {"type": ["object", "null"]},
    "os-extend": schema.obj({"new_size": {"type": ["integer", "string"], "pattern": "^[0-9]{1,6}$"}}, ["new_size"]),
    "os-set_bootable": schema.obj({"bootable": schema.BOOLEAN}, ["bootable"]),
}
_CHECKS = {name: schema.compiled(s) for name, s in _SCHEMAS.items()}


def act(req, id):
    body = req.json_object()
    if len(body) != 1 or next(iter(body)) not in _CHECKS:
        raise errors.BadRequest(f"There is no such action: {', '.join(sorted(body))[:100]}")
    name, arguments = next(iter(body.items()))
    _CHECKS[name](arguments)
    return _ACTIONS[name](req, id, arguments)


def _reset_status(req, id, arguments):
    req.svc.policy.check(req.ctx, "volume:reset_status", {})
    with req.svc.db.writer() as connection:
        volumes.get(connection, req.ctx, id)
        if "status" in arguments:
            rows.update(connection, volumes.TABLE, id, {"status": arguments["status"], "updated_at": db.now()},
                        resource="volume")


def _force_delete(req, id, arguments):
    req.svc.policy.check(req.ctx, "volume:force_delete", {})
    with req.svc.db.writer() as connection:
        row = volumes.get(connection, req.ctx, id)
        if not row["attachments"]:
            rows.update(connection, volumes.TABLE, id, {"status": "error"}, resource="volume")
        row = begin_delete(req, connection, id)
    if row["host"]:
        req.svc.send(req.svc.agents.delete_volume, req.ctx, row["host"], id)


def _extend(req, id, arguments):
    size = int(arguments["new_size"])
    with req.svc.db.writer() as connection:
        row = volumes.get(connection, req.ctx, id)
        req.svc.policy.check(req.ctx, "volume:extend", {"project_id": row["project_id"]})
        if size <= row["size"]:
            raise errors.BadRequest(f"Invalid input received: New size for extend must be greater than current size. "
                                    f"(current: {row['size']}, extended: {size}).")
        volumes.check_quota(connection, req.svc.conf, row["project_id"], size - row["size"], 0)
        volumes.move(connection, id, "extend", size=size)
    req.svc.send(req.svc.agents.extend_volume, req.ctx, row["host"], id, size)


def _set_bootable(req, id, arguments):
    with req.svc.db.writer() as connection:
        row = volumes.get(connection, req.ctx, id)
        req.svc.policy.check(req.ctx, "volume:update", {"project_id": row["project_id"]})
        rows.update(connection, volumes.TABLE, id, {"bootable": wsgi.bool_value(arguments["bootable"])},
                    resource="volume")
    return wsgi.Response(status=200)


_ACTIONS = {"os-reset_status": _reset_status, "os-force_delete": _force_delete, "os-extend": _extend,
            "os-set_bootable": _set_bootable}
