"""Actions on a server."""

from common.policy import rule
from compute_api.policies.base import ADMIN, MEMBER


def _action(name: str, check: str, description: str, action: str):
    return rule(f"os_compute_api:{name}", check, description, f"POST /servers/{{server_id}}/action ({action})")


RULES = [
    _action("servers:start", MEMBER, "Start a server", "os-start"),
    _action("servers:stop", MEMBER, "Stop a server", "os-stop"),
    _action("servers:reboot", MEMBER, "Reboot a server", "reboot"),
    _action("servers:rebuild", MEMBER, "Rebuild a server from an image", "rebuild"),
    _action("servers:create_image", MEMBER, "Create an image of a server", "createImage"),
    _action("servers:create_image:allow_volume_backed", MEMBER, "Create an image of a server that boots from a volume",
            "createImage"),
    _action("os-create-backup", MEMBER, "Create an image of a server as one of a rotating series of backups", "createBackup"),
    _action("os-pause-server:pause", MEMBER, "Pause a server", "pause"),
    _action("os-pause-server:unpause", MEMBER, "Unpause a server", "unpause"),
    _action("os-suspend-server:suspend", MEMBER, "Suspend a server", "suspend"),
    _action("os-suspend-server:resume", MEMBER, "Resume a suspended server", "resume"),
    _action("os-rescue", MEMBER, "Put a server into rescue mode", "rescue"),
    _action("os-unrescue", MEMBER, "Return a server from rescue mode", "unrescue"),
    _action("os-console-output", MEMBER, "Read a server's console log", "os-getConsoleOutput"),
    _action("os-lock-server:lock", MEMBER, "Lock a server", "lock"),
    _action("os-lock-server:unlock", MEMBER, "Unlock a server", "unlock"),
    _action("os-lock-server:unlock:unlock_override", ADMIN, "Unlock a server that an administrator locked", "unlock"),
    _action("os-admin-password", MEMBER, "Set the administrator's password in a running server", "changePassword"),
    _action("servers:trigger_crash_dump", MEMBER, "Have a server write a crash dump", "trigger_crash_dump"),
    rule("os_compute_api:os-server-diagnostics", ADMIN, "See what a running server has used",
         "GET /servers/{server_id}/diagnostics"),
    _action("os-deferred-delete:restore", MEMBER, "Restore a server that was deleted", "restore"),
    _action("os-deferred-delete:force", MEMBER, "Force the deletion of a server", "forceDelete"),
    _action("os-admin-actions:reset_state", ADMIN, "Reset a server's state", "os-resetState"),
    _action("os-admin-actions:inject_network_info", ADMIN, "Give a server its network's addresses again", "injectNetworkInfo"),
    _action("os-multinic:add", MEMBER, "Add a fixed IP address to a server", "addFixedIp"),
    _action("os-multinic:remove", MEMBER, "Remove a fixed IP address from a server", "removeFixedIp"),
    _action("os-shelve:shelve", MEMBER, "Shelve a server", "shelve"),
    _action("os-shelve:unshelve", MEMBER, "Start a shelved server", "unshelve"),
    _action("os-shelve:unshelve_to_host", ADMIN, "Start a shelved server on a certain host", "unshelve"),
    _action("os-shelve:shelve_offload", ADMIN, "Remove a shelved server from its host", "shelveOffload"),
]
