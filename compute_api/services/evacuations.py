"""Evacuation: a server whose host is down is rebuilt on another host.

Locked servers are evacuated too, because a lock protects from their users and the rule allows only operators.
"""

from common import errors
from common.calls import Call
from compute_api import access, virtual_tpm
from conductor.db import actions, evacuations, hosts, instances


def evacuate(call: Call, id: str, *, host: str | None, force: bool, stopped: bool) -> None:
    """Begin to rebuild a server elsewhere.

    :param host: the target; None: the scheduler chooses
    :param force: use ``host`` without the scheduler's filters
    :param stopped: leave the server stopped, whatever it was before
    :raises NotFound: there is no such host
    :raises BadRequest: the server is on that host, or its own host is up
    :raises Conflict: the server's state does not allow it
    """
    with call.svc.db.writer() as connection:
        row = access.server(call, connection, id, "os_compute_api:os-evacuate")
        virtual_tpm.refuse(row, "evacuate")
        if host is not None and not hosts.is_known(connection, host):
            raise errors.NotFound(f"Compute host {host} not found.")
        if host is not None and host == row["host"]:
            raise errors.BadRequest("The target host can't be the same one.")
        operation_id = evacuations.begin(connection, call.ctx, id, host=host, force=force, stopped=stopped,
                                         down_time_s=call.svc.conf.service_down_time)
        actions.start(connection, call.ctx, id, "evacuate")
    call.svc.send(call.svc.conductor.drive_operation, call.ctx, operation_id)
    call.svc.notifier.notify(call.ctx, "compute.instance.evacuate", instances.notification_payload(row))
