"""Consoles of servers: creates the single-use URLs that open them.

A URL leads to the console proxy (``compute_api.console``) and contains a token, whose hash is in the database.
"""

import urllib.parse

from common import errors, guest_needs, server_states
from common.calls import Call
from compute_api import access
from conductor.db import console_tokens, hosts

_RULE = "os_compute_api:os-remote-consoles"
NOVNC, SERIAL = "novnc", "serial"
# {protocol: its only supported type}
TYPES = {"vnc": NOVNC, "serial": SERIAL}
# Names of the actions in error messages.
_ACTIONS = {"vnc": "get_vnc_console", "spice": "get_spice_console", "serial": "get_serial_console", "mks": "get_mks_console"}
# task_states of actions that revoke tokens: no new one is created until they have ended.
_ENDING = frozenset(task for name, action in server_states.ACTIONS.items() if name not in console_tokens.KEEPING
                    for task in action.all_task_states)


def create(call: Call, id: str, protocol: str, console_type: str) -> str:
    """Create a URL that opens a console of a server once.

    :raises Conflict: the guest does not run
    :raises BadRequest: this type of console is not supported
    """
    with call.svc.db.writer() as connection:
        row = access.server(call, connection, id, _RULE)
        if protocol not in _ACTIONS:
            raise _unavailable(protocol)
        if row["host"] is None or row["vm_state"] == server_states.BUILDING:
            raise _not_ready(id)
        if row["task_state"] in _ENDING:
            raise errors.InvalidState(action=_ACTIONS[protocol], resource="instance", id=id, attr="task_state",
                                      state=row["task_state"])
        if protocol not in TYPES:
            raise _unavailable(console_type)
        if console_type != TYPES[protocol]:
            raise errors.BadRequest(f"Invalid console type {console_type}")
        if guest_needs.CONSOLES in hosts.unsupported(connection, row["host"]):
            raise _unavailable(console_type)
        if row["power_state"] not in (server_states.RUNNING, server_states.PAUSED):
            raise _not_ready(id)
        token = console_tokens.create(connection, call.ctx, id, console_type, call.svc.conf.consoleauth.token_ttl)
    return _url(call.svc.conf.console.base_url, console_type, token)


def _unavailable(console_type: str) -> errors.BadRequest:
    return errors.BadRequest(f"Unavailable console type {console_type}.")


def _not_ready(id: str) -> errors.Conflict:
    return errors.Conflict(f"Instance {id} is not ready")


def _url(base: str, console_type: str, token: str) -> str:
    """In the format of OpenStack: the URL of a page for the screen, and of a WebSocket for the serial port."""
    query = urllib.parse.urlencode({"token": token})
    if console_type == NOVNC:
        return f"{base}/vnc_auto.html?{urllib.parse.urlencode({'path': '?' + query})}"
    return f"ws{base.removeprefix('http')}/?{query}"


def show(call: Call, token: str) -> dict:
    """The console of a token. :raises NotFound: the token is not valid"""
    access.check(call, "os_compute_api:os-console-auth-tokens")
    with call.svc.db.reader() as connection:
        found = console_tokens.find(connection, token)
    if found is None:
        raise errors.NotFound("Token not found")
    return found
