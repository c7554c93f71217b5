"""Actions on a server: one POST, the body's only key says which."""


from common import errors, schema, server_states, wsgi
from common.unsupported import unknown_action
from compute_api import deletion, microversions, unsupported
from compute_api.handlers import fixed_ips, floating_ips, rebuild, rescue, security_groups, server_images
from compute_api.handlers.power import simple
from compute_api.services import locks, power, servers

_NAME = {"type": "string", "minLength": 1, "maxLength": 255}
_IP = {"anyOf": [{"type": "string", "format": "ipv4"}, {"type": "string", "format": "ipv6"}]}
_NOTHING = {"type": ["object", "null", "string"], "maxProperties": 0, "maxLength": 0}
_GROUP = schema.obj({"name": {"type": "string", "minLength": 1, "maxLength": 255}}, ["name"])
_SCHEMAS = {
    "os-start": _NOTHING, "os-stop": _NOTHING, "reboot": schema.obj({"type": {"enum": ["SOFT", "HARD", "Soft", "Hard",
                                                                                     "soft", "hard"]}}, ["type"]),
    "pause": _NOTHING, "unpause": _NOTHING, "suspend": _NOTHING, "resume": _NOTHING,
    "os-getConsoleOutput": {"type": ["object", "null"], "properties": {
        "length": schema.integer(-1, null=True)}, "additionalProperties": False},
    "lock": {"type": ["object", "null"], "additionalProperties": False, "properties": {
        "locked_reason": {"type": "string", "minLength": 1, "maxLength": 255}}},
    "unlock": {"type": ["object", "null"], "maxProperties": 0},
    "addSecurityGroup": _GROUP, "removeSecurityGroup": _GROUP,
    "addFloatingIp": schema.obj({"address": _IP, "fixed_address": _IP}, ["address"]),
    "removeFloatingIp": schema.obj({"address": _IP}, ["address"]),
    "addFixedIp": schema.obj({"networkId": {"type": ["string", "integer"], "maxLength": 36}}, ["networkId"]),
    "removeFixedIp": schema.obj({"address": _IP}, ["address"]),
    "createBackup": schema.obj({
        "name": _NAME, "metadata": schema.METADATA, "backup_type": _NAME, "rotation": schema.integer()},
        ["name", "backup_type", "rotation"]),
    "createImage": schema.obj({"name": _NAME, "metadata": schema.METADATA}, ["name"]),
    "rescue": rescue.SCHEMA, "unrescue": _NOTHING, "rebuild": rebuild.SCHEMA,
    "forceDelete": {"type": ["object", "null", "string"]}, "restore": {"type": ["object", "null", "string"]},
    "os-resetState": schema.obj({"state": {"enum": [server_states.ACTIVE, server_states.ERROR]}}, ["state"]),
}
_CHECKS = {name: schema.compiled(s) for name, s in _SCHEMAS.items()}
NAMES = tuple(_SCHEMAS)


_LAST = {name: (2, 43) for name in ("addFixedIp", "removeFixedIp", "addFloatingIp", "removeFloatingIp")}


def act(req, id):
    body = req.json_object()
    known = [n for n in body if n in _CHECKS]
    if len(body) != 1 or not known:
        raise unknown_action(body, unsupported.ACTIONS)
    name = known[0]
    if req.version > _LAST.get(name, req.version):
        raise errors.NotFound(f"The action {name} ended with microversion %d.%d." % _LAST[name])
    _CHECKS[name](body[name])
    return _HANDLERS[name](req, id, body[name])


def _reboot(req, id, arguments):
    action = "reboot" if arguments["type"].lower() == "soft" else "reboot-hard"
    power.act(req.call, id, "os_compute_api:servers:reboot", action, "reboot")


def _console_output(req, id, arguments):
    length = (arguments or {}).get("length")
    lines = None if length in (None, "", -1, "-1") else int(length)
    if lines is not None and lines < 0:
        raise errors.BadRequest("Invalid input for field/attribute length. It must be -1 or more.")
    return wsgi.json_response({"output": servers.console_output(req.call, id, lines)}, 200)


def _lock(req, id, arguments):
    microversions.check_names(req.call, arguments or (), {"locked_reason": (2, 73)})
    locks.lock(req.call, id, (arguments or {}).get("locked_reason"))


def _unlock(req, id, arguments):
    locks.unlock(req.call, id)


def _force_delete(req, id, arguments):
    deletion.delete(req.call, id, "os_compute_api:os-deferred-delete:force")


def _restore(req, id, arguments):
    """Deleted servers are gone at once here, as in any cloud without ``reclaim_instance_interval``: none can come back."""
    row = servers.get(req.call, id, "os_compute_api:os-deferred-delete:restore")
    raise errors.InvalidState(action="restore", resource="instance", id=id, attr="vm_state", state=row["vm_state"])


def _reset_state(req, id, arguments):
    servers.reset_state(req.call, id, arguments["state"])


_HANDLERS = {"os-start": simple("os_compute_api:servers:start", "start"),
             "os-stop": simple("os_compute_api:servers:stop", "stop"),
             "pause": simple("os_compute_api:os-pause-server:pause", "pause"),
             "unpause": simple("os_compute_api:os-pause-server:unpause", "unpause"),
             "suspend": simple("os_compute_api:os-suspend-server:suspend", "suspend"),
             "resume": simple("os_compute_api:os-suspend-server:resume", "resume"),
             "createImage": server_images.create, "createBackup": server_images.back_up,
             "rebuild": rebuild.rebuild,
             "rescue": rescue.rescue, "unrescue": simple("os_compute_api:os-unrescue", "unrescue"),
             "reboot": _reboot, "os-getConsoleOutput": _console_output,
             "lock": _lock, "unlock": _unlock, "forceDelete": _force_delete, "restore": _restore,
             "os-resetState": _reset_state, "addSecurityGroup": security_groups.add,
             "removeSecurityGroup": security_groups.remove,
             "addFloatingIp": floating_ips.add, "removeFloatingIp": floating_ips.remove,
             "addFixedIp": fixed_ips.add,
             "removeFixedIp": fixed_ips.remove}
