"""Power actions: begun in one transaction, carried out by the server's host, and sent again by the reconciler if the
message is lost."""

from common import errors, guest_needs, server_states
from common.calls import Call
from compute_api import access
from conductor.db import actions as history
from conductor.db import machine

_NEEDS = {"suspend": guest_needs.SUSPEND, "rescue": guest_needs.RESCUE}


def _check_built(call: Call, row: dict) -> None:
    access.check_lock(call, row)
    if row["host"] is None and row["task_state"] is None and row["vm_state"] != server_states.SHELVED_OFFLOADED:
        raise errors.Conflict(f"Instance {row['uuid']} has no host: it was never built.")


def check(call: Call, row: dict, action: str) -> None:
    """What ``begin`` checks of a server, for what is to be refused before anything else is looked at. :raises Conflict: as there
    """
    _check_built(call, row)
    machine.check(row, action)


def begin(call: Call, connection, id: str, rule: str, action: str, recorded: str) -> dict:
    """Begin an action of the state machine, and record it in the server's history; returns the row before the change.

    :raises Forbidden: the rule does not allow it
    :raises Conflict: the server is locked, busy, in a state that does not allow it, was never built, or its hypervisor does not
        support it
    """
    row = access.server(call, connection, id, rule)
    _check_built(call, row)
    if action in _NEEDS:
        access.check_hypervisor(connection, row, _NEEDS[action])
    machine.begin(connection, id, action, request_id=call.ctx.request_id)
    history.start(connection, call.ctx, id, recorded)
    return row


def send(call: Call, row: dict, action: str) -> None:
    """Send the request to the host, after the transaction."""
    call.svc.send(call.svc.agents.power, call.ctx, row["host"], row["uuid"], action)


def act(call: Call, id: str, rule: str, action: str, recorded: str = "") -> None:
    """Begin an action that needs nothing else, and send it to the host.

    :raises Forbidden, Conflict: as ``begin``
    """
    with call.svc.db.writer() as connection:
        row = begin(call, connection, id, rule, action, recorded or action)
    send(call, row, action)
