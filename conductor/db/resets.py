"""An operator's reset of a server's state, which ends whatever is in progress."""

from common import errors
from common.server_states import ACTIONS, DELETING, SHELVED_OFFLOADED
from conductor.db import evacuations, live_migrations, machine, operations, rebuilds, resizes, shelving

# {kind of operation: its steps that must not be left by a reset}. An offloading removes the server's disk from its host; an
# evacuation ends what the guest on the former host can write to, before the server can be started on its new host; a rebuild
# replaces the attachment of the volume that the server boots from, and what the volume has. A move may have started the guest on
# its new host, which would lose what it has written there, as long as the row does not name that host.
GUARDED: dict[str, tuple[str, ...]] = {
    shelving.OFFLOAD: ("remove", "disconnect"), evacuations.EVACUATE: ("disconnect", "fence"),
    rebuilds.REBUILD_VOLUME: rebuilds.GUARDED,
    resizes.MIGRATE: ("start",), resizes.REVERT: ("start",), live_migrations.KIND: ("migrate",)}


def reset(connection, ctx, row: dict, vm_state: str) -> None:
    """Reset a server to a stable state, end the operation on it, and give up its unfinished migration or its shelving.

    :param row: the server, as this transaction has read and locked it, so that no operation on it records a step meanwhile
    :raises Conflict: no host has the server's disk, it is being deleted, or the operation on it must end first
    """
    uuid = row["uuid"]
    if row["task_state"] == DELETING:  # its host may have removed the disk; the deletion is repeated until it has ended
        raise errors.Conflict(f"The state of instance {uuid} cannot be reset: it is being deleted.")
    if row["vm_state"] == SHELVED_OFFLOADED:
        raise errors.Conflict(f"The state of instance {uuid} cannot be reset: no host has its disk. Unshelve or delete it.")
    for operation in operations.of_server(connection, uuid):
        if operation["step"] in GUARDED.get(operation["kind"], ()):
            ways = "Wait until it has ended, or delete the server" + (
                ", or evacuate it if its host is down." if _may_be_evacuated(row) else ".")
            raise errors.Conflict(f"The state of instance {uuid} cannot be reset in the step {operation['step']} of the "
                                  f"operation {operation['kind']}. {ways}")
    machine.reset(connection, uuid, vm_state)
    resizes.leave(connection, ctx, uuid)
    if row["shelved_image_id"]:
        shelving.unshelved(connection, ctx, uuid)


def _may_be_evacuated(row: dict) -> bool:
    action = ACTIONS["evacuate"]
    return row["vm_state"] in (action.ends or ()) and row["task_state"] in (action.task_states or ())
