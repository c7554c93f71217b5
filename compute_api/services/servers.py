"""Show and update a server."""

from common import errors, server_states
from common.calls import Call
from compute_api import access
from compute_api.viewer import Viewer
from conductor.db import actions as history
from conductor.db import instances, resets


def get(call: Call, id: str, rule: str) -> dict:
    """:raises NotFound, Forbidden: the caller may not see the server, or the rule refuses"""
    with call.svc.db.reader() as connection:
        return access.server(call, connection, id, rule)


def show(call: Call, id: str) -> tuple[dict, Viewer]:
    """The server's row, and the details that the caller may see."""
    with call.svc.db.reader() as connection:
        row = access.server(call, connection, id, "os_compute_api:servers:show")
        return row, Viewer(call, connection, [row])


def update(call: Call, id: str, values: dict) -> tuple[dict, Viewer]:
    """Change columns of a server; returns the new row, and the details that the caller may see.

    :raises Conflict: the server cannot be pinned to that zone
    """
    with call.svc.db.writer() as connection:
        row = access.server(call, connection, id, "os_compute_api:servers:update")
        if (zone := values.get("pinned_availability_zone")) is not None:
            _check_zone(connection, row, zone)
        changed = instances.change(connection, row, **values)
        return changed, Viewer(call, connection, [row])


def _check_zone(connection, row: dict, zone: str) -> None:
    """A server can be pinned to the zone that it is in. :raises Conflict: it is in another, or pinned to another"""
    current = instances.lock_zones(connection, row["uuid"])
    if current["pinned_availability_zone"] not in (None, zone):
        raise errors.Conflict("Cannot change pinned availability zone directly. Unpin first by setting "
                              "pinned_availability_zone to null.")
    if current["pinned_availability_zone"] is None and current["availability_zone"] != zone:
        raise errors.Conflict(f"Server can only be pinned to its current availability zone '{current['availability_zone']}', "
                              f"but '{zone}' was requested.")


def reset_state(call: Call, id: str, state: str) -> None:
    """End whatever is in progress.

    :param state: "active" or "error"
    :raises Conflict: no host has the server's disk, it is being deleted, or an operation must end first
    """
    with call.svc.db.writer() as connection:
        row = access.server(call, connection, id, "os_compute_api:os-admin-actions:reset_state")
        history.start(connection, call.ctx, id, "reset-state")
        resets.reset(connection, call.ctx, row, state)


def inject_network_info(call: Call, id: str) -> None:
    """Does nothing, as with Nova's libvirt driver: guests are configured by DHCP or a config drive.

    :raises Conflict: the server is locked
    """
    access.check_lock(call, get(call, id, "os_compute_api:os-admin-actions:inject_network_info"))


def console_output(call: Call, id: str, lines: int | None) -> str:
    """The last lines of the guest's console log; None: all.

    :raises Conflict: there is no guest at the moment
    """
    row = get(call, id, "os_compute_api:os-console-output")
    if row["host"] is None or row["vm_state"] == server_states.BUILDING:
        raise errors.Conflict(f"Instance {id} is not ready")
    try:
        return call.svc.agents.console_output(call.ctx, row["host"], id, lines)
    except errors.StepFailed as error:  # for example during a hard reboot
        raise errors.Conflict(f"Instance {id} is not ready: {error}") from None
