"""Actions on a server: one POST whose body has a single key, the name of the action."""


from common import errors, schema, wsgi
from common.unsupported import unknown_action
from compute_api import deletion, microversions, unsupported
from compute_api.handlers import (
    consoles,
    evacuate,
    fixed_ips,
    floating_ips,
    guests,
    migrations,
    rebuild,
    rescue,
    security_groups,
    server_images,
    server_migrations,
    shelving,
)
from compute_api.handlers.power import simple
from compute_api.schemas import actions as schemas
from compute_api.schemas import consoles as console_schemas
from compute_api.services import locks, power, servers

_CHECKS = {name: schema.compiled(s) for name, s in schemas.SCHEMAS.items()}
NAMES = tuple(schemas.SCHEMAS)


_LAST = {**dict.fromkeys(("addFixedIp", "removeFixedIp", "addFloatingIp", "removeFloatingIp"), (2, 43)),
         **dict.fromkeys(console_schemas.ACTIONS, (2, 5))}
_FIRST = {"trigger_crash_dump": (2, 17)}


def act(req, id):
    body = req.json_object()
    known = [n for n in body if n in _CHECKS]
    if len(body) != 1 or not known:
        raise unknown_action(body, unsupported.ACTIONS, unsupported.REMOVED_ACTIONS)
    name = known[0]
    if req.version > _LAST.get(name, req.version):
        raise errors.NotFound(f"The action {name} ended with microversion %d.%d." % _LAST[name])
    if req.version < _FIRST.get(name, req.version):
        raise errors.NotFound(f"The action {name} begins with microversion %d.%d." % _FIRST[name])
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
    deletion.delete(req.call, id, "os_compute_api:os-deferred-delete:force", force=True)


def _restore(req, id, arguments):
    deletion.restore(req.call, id)


def _inject_network_info(req, id, arguments):
    servers.inject_network_info(req.call, id)


def _reset_state(req, id, arguments):
    servers.reset_state(req.call, id, arguments["state"])


_HANDLERS = {"os-start": simple("os_compute_api:servers:start", "start"),
             "os-stop": simple("os_compute_api:servers:stop", "stop"),
             "pause": simple("os_compute_api:os-pause-server:pause", "pause"),
             "unpause": simple("os_compute_api:os-pause-server:unpause", "unpause"),
             "suspend": simple("os_compute_api:os-suspend-server:suspend", "suspend"),
             "resume": simple("os_compute_api:os-suspend-server:resume", "resume"),
             "createImage": server_images.create, "createBackup": server_images.back_up,
             "rebuild": rebuild.rebuild, "migrate": migrations.migrate, "resize": migrations.resize,
             "os-migrateLive": server_migrations.migrate_live, "confirmResize": migrations.confirm,
             "revertResize": migrations.revert, "evacuate": evacuate.evacuate,
             "rescue": rescue.rescue, "unrescue": simple("os_compute_api:os-unrescue", "unrescue"),
             "shelve": shelving.shelve, "shelveOffload": shelving.offload, "unshelve": shelving.unshelve,
             "changePassword": guests.change_password, "trigger_crash_dump": guests.trigger_crash_dump,
             "reboot": _reboot, "os-getConsoleOutput": _console_output,
             "os-getVNCConsole": consoles.action("vnc"), "os-getSPICEConsole": consoles.action("spice"),
             "os-getSerialConsole": consoles.action("serial"),
             "lock": _lock, "unlock": _unlock, "forceDelete": _force_delete, "restore": _restore,
             "os-resetState": _reset_state, "injectNetworkInfo": _inject_network_info, "addSecurityGroup": security_groups.add,
             "removeSecurityGroup": security_groups.remove,
             "addFloatingIp": floating_ips.add, "removeFloatingIp": floating_ips.remove,
             "addFixedIp": fixed_ips.add,
             "removeFixedIp": fixed_ips.remove}
