"""Actions on a volume: one POST, the body's only key says which."""


from common import errors, schema, wsgi
from common.unsupported import unknown_action
from volume import unsupported
from volume.services import actions

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
    metadata = _ACTIONS[name](req.call, id, arguments)
    if name == "os-set_bootable":
        return wsgi.Response(status=200)
    return None if metadata is None else wsgi.json_response({"metadata": metadata}, 200)


def _without(known: dict, arguments: dict) -> dict:
    if arguments["key"] not in known:
        raise errors.NotFound("Metadata item was not found.")
    return {k: v for k, v in known.items() if k != arguments["key"]}


_IMAGE_METADATA = "volume_extension:volume_image_metadata"
_ACTIONS = {
    "os-update_readonly_flag": actions.readonly,
    "os-set_image_metadata": actions.image_metadata(lambda known, arguments: {**known, **arguments["metadata"]},
                                                    f"{_IMAGE_METADATA}:set", "volume:update_volume_metadata"),
    "os-unset_image_metadata": actions.image_metadata(_without, f"{_IMAGE_METADATA}:remove", "volume:delete_volume_metadata"),
    "os-show_image_metadata": actions.image_metadata(lambda known, arguments: known, "volume:get_volume_metadata", shown=True),
    "os-attach": actions.attach, "os-detach": actions.detach, "os-reserve": actions.move("hold", "reserve"),
    "os-unreserve": actions.move("unhold", "unreserve"),
    "os-begin_detaching": actions.move("begin_detaching", "begin_detaching"),
    "os-roll_detaching": actions.move("roll_detaching", "roll_detaching"),
    "os-reset_status": actions.reset_status, "os-force_delete": actions.force_delete, "os-extend": actions.extend,
    "os-extend_volume_completion": actions.extend_completion, "os-set_bootable": actions.set_bootable}
ACTIONS = tuple(_ACTIONS)
