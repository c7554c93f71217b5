"""Evacuations: a server whose host is down is rebuilt on another host, and the first host learns that when it returns.

The row of the host's compute service decides: an evacuation begins while it says that the host is down, and a host that returns
changes it before it starts a guest. Each of them sees what the other has written.
"""

from common import db, errors, rows
from common.server_states import ACTIVE, IMAGE_TASKS, STOPPED
from conductor.db import hosts, instances, machine, operations, rebuilds, resizes, server_migrations

EVACUATE, DROP_WAITING = "evacuate", "drop_waiting_images"


def begin(connection, ctx, uuid: str, *, host: str | None, force: bool, stopped: bool, down_time_s: int) -> str:
    """Begin to rebuild a server on another host; returns the id of the operation.

    :param host: the requested host; None: the scheduler chooses
    :param force: take the requested host without asking the scheduler's filters
    :param stopped: leave the server stopped, whatever it was before
    :raises InvalidState: the server's state does not allow it
    :raises Conflict: its root volume gets an image, which ends without its host
    :raises BadRequest: its host is up
    """
    under_way = operations.of_server(connection, uuid)
    if any(o["kind"] == rebuilds.REBUILD_VOLUME and o["step"] in rebuilds.GUARDED for o in under_way):
        raise errors.Conflict(f"The root volume of instance {uuid} is being rebuilt. Wait until that has ended.")
    before = instances.states_of(connection, uuid)
    machine.begin(connection, uuid, "evacuate", request_id=ctx.request_id)
    row = instances.find(connection, uuid)
    assert row is not None  # locked by this transaction
    source = row["host"]
    if source is None:
        raise errors.Conflict(f"Instance {uuid} has no host: it was never built.")
    service = hosts.lock_service(connection, source)
    if service is not None and hosts.is_up(service, down_time_s):
        raise errors.BadRequest(f"Compute service of {source} is still in use.")
    if before is not None and before["task_state"] in IMAGE_TASKS:  # whoever was to fill the image may never be back
        operations.begin(connection, ctx, DROP_WAITING, uuid, 0, {"project_id": row["project_id"], "before": db.iso(db.now())})
    resizes.leave(connection, ctx, uuid)
    flavor = {**row["flavor"], "disk_gb": row["disk_gb"]}
    migration = server_migrations.begin(connection, ctx, row, "evacuation", flavor, server_migrations.ACCEPTED)
    return operations.begin(connection, ctx, EVACUATE, uuid, row["attempt"], {
        "migration": migration, "source": source, "target": None, "requested_host": host, "force": force,
        "vm_state": STOPPED if stopped or row["vm_state"] == STOPPED else ACTIVE})


def host_returns(connection, host: str, removed: list[str]) -> dict:
    """A host that could not report is back, or its agent has been restarted.

    It counts as up from now on, unless it must remove more first. No server of a host that is up can be evacuated.

    :param removed: servers that left the host, of which it has removed what it had
    :returns: {"left": the servers that it must remove first, "may_start": whether it may start guests: not while an operator has
        forced it down, because its servers can be evacuated meanwhile}
    """
    service = hosts.lock_service(connection, host)
    left = sorted(resizes.removals_from(connection, host) - set(removed))
    if service is not None and not left:
        rows.update_where(connection, hosts.SERVICES, {"updated_at": db.now()}, id=service["id"])
    return {"left": left, "may_start": service is None or not service["forced_down"]}
