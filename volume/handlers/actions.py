"""Actions on a volume: one POST whose body has a single key, the name of the action."""

from common import errors, schema, wsgi
from common.unsupported import unknown_action
from common.vault import open_chap
from volume import unsupported, views
from volume.schemas.actions import SCHEMAS
from volume.services import actions, connections, uploads

_CHECKS = {name: schema.compiled(body) for name, body in SCHEMAS.items()}


def act(req, id):
    body = req.json_object()
    if len(body) != 1 or next(iter(body)) not in _CHECKS:
        raise unknown_action(body, unsupported.ACTIONS)
    name, arguments = next(iter(body.items()))
    if req.version < _SINCE.get(name, req.version):
        raise errors.NotFound(f"The action {name} begins with microversion %d.%d." % _SINCE[name])
    _CHECKS[name](arguments)
    answer = _ACTIONS[name](req.call, id, arguments)
    if name == "os-set_bootable":
        return wsgi.Response(status=200)
    if name == "os-initialize_connection":
        return wsgi.json_response({"connection_info": _connection_info(req, answer)}, 200)
    if name == "os-volume_upload_image":
        return {name: views.upload(**answer)}
    return None if answer is None else wsgi.json_response({"metadata": answer}, 200)


def _connection_info(req, row: dict) -> dict:
    """As os-brick reads it, with the secret."""
    info, multipath = row["connection_info"], {"enforce_multipath": bool(row["connector"].get("enforce_multipath"))}
    return {**info, "data": {**open_chap(req.svc.vault, info["data"]), **multipath}, **multipath}


def _without(known: dict, arguments: dict) -> dict:
    if arguments["key"] not in known:
        raise errors.NotFound("Metadata item was not found.")
    return {k: v for k, v in known.items() if k != arguments["key"]}


_IMAGE_METADATA = "volume_extension:volume_image_metadata"
_ACTIONS = {
    "os-update_readonly_flag": actions.readonly,
    "os-set_image_metadata": actions.metadata_of_image(lambda known, arguments: {**known, **arguments["metadata"]},
                                                       f"{_IMAGE_METADATA}:set", "volume:update_volume_metadata"),
    "os-unset_image_metadata": actions.metadata_of_image(_without, f"{_IMAGE_METADATA}:remove", "volume:delete_volume_metadata"),
    "os-show_image_metadata": actions.metadata_of_image(lambda known, arguments: known, "volume:get_volume_metadata", shown=True),
    "os-initialize_connection": connections.initialize, "os-terminate_connection": connections.terminate,
    "os-attach": connections.attach, "os-detach": connections.detach, "os-force_detach": connections.force_detach,
    "os-reserve": actions.move("hold", "reserve"),
    "os-unreserve": actions.move("unhold", "unreserve"),
    "os-begin_detaching": actions.move("begin_detaching", "begin_detaching"),
    "os-roll_detaching": actions.move("roll_detaching", "roll_detaching"),
    "os-reset_status": actions.reset_status, "os-force_delete": actions.force_delete, "os-extend": actions.extend,
    "os-extend_volume_completion": actions.extend_completion, "os-set_bootable": actions.set_bootable,
    "os-reimage": actions.reimage, "os-volume_upload_image": uploads.upload}
_SINCE = {"os-reimage": (3, 68)}
ACTIONS = tuple(_ACTIONS)
