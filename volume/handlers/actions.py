"""Actions on a volume: one POST, the body's only key says which."""

import logging

from common import context, db, errors, rows, schema, wsgi
from common.unsupported import unknown_action
from volume import access, unsupported
from volume.db import extensions, volumes
from volume.handlers.volumes import begin_delete

LOG = logging.getLogger(__name__)
_STATES = ["creating", "available", "deleting", "error", "error_deleting", "attaching", "detaching", "in-use",
           "reserved", "error_extending"]
_SCHEMAS = {
    "os-reset_status": schema.obj({"status": {"enum": _STATES}, "attach_status": schema.TEXT,
                                   "migration_status": schema.TEXT}),
    "os-force_delete": {"type": ["object", "null"]},
    "os-extend": schema.obj({"new_size": schema.integer(1, 100000)}, ["new_size"]),
    "os-extend_volume_completion": schema.obj({"error": {"oneOf": [schema.BOOLEAN, {"type": "null"}]}}),
    "os-update_readonly_flag": schema.obj({"readonly": schema.BOOLEAN}, ["readonly"]),
    "os-set_image_metadata": schema.obj({"metadata": schema.METADATA}, ["metadata"]),
    "os-unset_image_metadata": schema.obj({"key": {"type": "string", "minLength": 1, "maxLength": 255}}, ["key"]),
    "os-set_bootable": schema.obj({"bootable": schema.BOOLEAN}, ["bootable"]),
}
_NOTHING = {"type": ["object", "null", "string"], "maxProperties": 0, "maxLength": 0}
_SCHEMAS.update({n: _NOTHING for n in (
    "os-show_image_metadata", "os-reserve", "os-unreserve", "os-begin_detaching", "os-roll_detaching")})
_SCHEMAS["os-attach"] = schema.obj({
    "instance_uuid": {"oneOf": [schema.UUID, {"type": "null"}]}, "host_name": schema.TEXT, "mountpoint": schema.TEXT,
    "mode": {"enum": ["rw", "ro", None]}}, ["mountpoint"])
_SCHEMAS["os-detach"] = {"type": ["object", "null"], "properties": {"attachment_id": {"type": ["string", "null"]}},
                         "additionalProperties": False}
_CHECKS = {name: schema.compiled(s) for name, s in _SCHEMAS.items()}


def act(req, id):
    body = req.json_object()
    if len(body) != 1 or next(iter(body)) not in _CHECKS:
        raise unknown_action(body, unsupported.ACTIONS)
    name, arguments = next(iter(body.items()))
    _CHECKS[name](arguments)
    return _ACTIONS[name](req, id, arguments)


def _reset_status(req, id, arguments):
    with req.svc.db.writer() as connection:
        access.volume(req, connection, id, "volume_extension:volume_admin_actions:reset_status", shown=False)
        if "status" in arguments:
            rows.update(connection, volumes.TABLE, id, {
                "status": arguments["status"], "extending_to": None, "updated_at": db.now()}, resource="volume")


def _force_delete(req, id, arguments):
    with req.svc.db.writer() as connection:
        row = access.volume(req, connection, id, "volume_extension:volume_admin_actions:force_delete", "volume:delete")
        begin_delete(connection, row, force=True)
    if row["host"]:
        req.svc.send(req.svc.agents.delete_volume, req.ctx, row["host"], id)


def _extend(req, id, arguments):
    size = int(arguments["new_size"])
    with req.svc.db.writer() as connection:
        row = access.volume(req, connection, id)
        attached = row["status"] == "in-use" and req.version >= (3, 42)
        access.check(req, row, "volume:extend_attached_volume" if attached else "volume:extend")
        if size <= row["size"]:
            raise errors.BadRequest(f"Invalid input received: New size for extend must be greater than current size. "
                                    f"(current: {row['size']}, extended: {size}).")
        extensions.begin(connection, req.svc.conf, row, size, attached=attached, request_id=req.ctx.trace_id)
    req.svc.send(req.svc.agents.extend_volume, req.ctx, row["host"], id, size)


def _extend_completion(req, id, arguments):
    """What the compute service says when the guest sees the new size, or cannot be made to (``error``)."""
    with req.svc.db.writer() as connection:
        row = access.volume(req, connection, id, "volume_extension:volume_admin_actions:extend_volume_completion")
        if row["status"] != "extending":
            raise errors.BadRequest("Invalid volume: Volume is not being extended.")
        if row["extending_to"] is not None:
            raise errors.BadRequest("Invalid volume: its backend has not grown it yet.")
        failed = wsgi.bool_value(arguments.get("error") or False)
        extensions.settle(connection, id, fault="Its server does not see the new size yet." if failed else None)
    LOG.info("volume %s now has %d GiB%s", id, row["size"], "; its server does not see that yet" if failed else "")


def _set_bootable(req, id, arguments):
    with req.svc.db.writer() as connection:
        access.volume(req, connection, id, "volume:update")
        rows.update(connection, volumes.TABLE, id, {"bootable": wsgi.bool_value(arguments["bootable"])},
                    resource="volume")
    return wsgi.Response(status=200)


def _readonly(req, id, arguments):
    """From its next attachment on nobody can write to the volume, or everybody again."""
    with req.svc.db.writer() as connection:
        row = access.volume(req, connection, id, "volume:update_readonly_flag")
        if row["status"] != "available":
            raise errors.BadRequest(f"Invalid volume: Volume {id} status must be available to update readonly flag, but "
                                    f"current status is: {row['status']}.")
        rows.update(connection, volumes.TABLE, id, {"readonly": wsgi.bool_value(arguments["readonly"])}, resource="volume")


def _image_metadata(edit, *rules: str, shown: bool = False):
    """``edit``: (what there is, the action's arguments) -> what there is to be."""
    def handler(req, id, arguments):
        with req.svc.db.writer() as connection:
            row = access.volume(req, connection, id, *rules, shown=shown)
            changed = edit(row["image_metadata"], arguments)
            if changed != row["image_metadata"]:
                rows.update(connection, volumes.TABLE, id, {"image_metadata": changed}, resource="volume")
        return wsgi.json_response({"metadata": changed}, 200)
    return handler


def _without(known: dict, arguments: dict) -> dict:
    if arguments["key"] not in known:
        raise errors.NotFound("Metadata item was not found.")
    return {k: v for k, v in known.items() if k != arguments["key"]}


def _move(action: str, rule: str):
    """The steps by which clients once announced what they were about to do: states alone."""
    def handler(req, id, arguments):
        with req.svc.db.writer() as connection:
            row = access.volume(req, connection, id, f"volume_extension:volume_actions:{rule}")
            if action == "unhold" and row["attachments"]:
                raise errors.BadRequest("Invalid volume: somebody has reserved it for an attachment.")
            volumes.move(connection, id, action)
    return handler


def _attach(req, id, arguments):
    """Say that a volume is attached, without our exporting it: for clients that reach it in ways of their own."""
    if bool(arguments.get("instance_uuid")) == bool(arguments.get("host_name")):
        raise errors.BadRequest("Invalid request to attach volume to an instance and/or a host: one of them is needed.")
    with req.svc.db.writer() as connection:
        row = access.volume(req, connection, id, "volume_extension:volume_actions:attach")
        if row["attachments"]:
            raise errors.BadRequest("Invalid volume: it is attached already.")
        if row["status"] == "available":
            volumes.move(connection, id, "hold")
        volumes.move(connection, id, "complete")
        at = db.now()
        rows.insert(connection, volumes.ATTACHMENTS, {
            "id": context.new_uuid(), "volume_id": id, "project_id": row["project_id"],
            "instance_uuid": arguments.get("instance_uuid"), "attach_status": "attached",
            "mountpoint": arguments.get("mountpoint"), "attached_host": arguments.get("host_name"), "connector": {},
            "connection_info": {}, "attach_mode": arguments.get("mode") or "rw", "attached_at": at, "created_at": at})


def _detach(req, id, arguments):
    """End what os-attach said. An attachment that we export is ended by whoever has it, the compute service."""
    wanted = (arguments or {}).get("attachment_id")
    with req.svc.db.writer() as connection:
        row = access.volume(req, connection, id, "volume_extension:volume_actions:detach")
        held = [a for a in row["attachments"] if wanted in (None, a["id"])]
        if not held:
            raise errors.BadRequest("Invalid volume: it has no such attachment.")
        if held[0]["connection_info"]:
            raise errors.Conflict(f"Detach volume from instance {held[0]['instance_uuid']} using the Compute API",
                                  kind="ConflictNovaUsingAttachment")
        rows.delete(connection, volumes.ATTACHMENTS, held[0]["id"], resource="attachment")
        volumes.move(connection, id, "detach")


_IMAGE_METADATA = "volume_extension:volume_image_metadata"
_ACTIONS = {"os-update_readonly_flag": _readonly,
            "os-set_image_metadata": _image_metadata(lambda known, arguments: {**known, **arguments["metadata"]},
                                                     f"{_IMAGE_METADATA}:set", "volume:update_volume_metadata"),
            "os-unset_image_metadata": _image_metadata(_without, f"{_IMAGE_METADATA}:remove", "volume:delete_volume_metadata"),
            "os-show_image_metadata": _image_metadata(lambda known, arguments: known, "volume:get_volume_metadata", shown=True),
            "os-attach": _attach, "os-detach": _detach, "os-reserve": _move("hold", "reserve"),
            "os-unreserve": _move("unhold", "unreserve"), "os-begin_detaching": _move("begin_detaching", "begin_detaching"),
            "os-roll_detaching": _move("roll_detaching", "roll_detaching"),
            "os-reset_status": _reset_status, "os-force_delete": _force_delete,
            "os-extend": _extend, "os-extend_volume_completion": _extend_completion, "os-set_bootable": _set_bootable}
ACTIONS = tuple(_ACTIONS)
