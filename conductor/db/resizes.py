"""Migrations and resizes: how they begin, and how they are confirmed, reverted or abandoned.

Each function changes the server's state and adds the operation that ``conductor.operations`` runs, in one transaction.
"""

from common import errors, rows
from conductor.db import actions, allocations, instances, machine, models, operations, server_migrations

TABLE = models.instances
MIGRATE, CONFIRM, REVERT, REMOVE, DESTROY, REMOVE_KEPT = (
    "migrate", "confirm_resize", "revert_resize", "remove", "destroy", "remove_kept_disks")
OLD, NEW = "old_flavor", "new_flavor"


def columns_of(flavor: dict) -> dict:
    """A migration's flavor as columns of a server's row."""
    part = server_migrations.part(flavor)
    return {"flavor": {name: value for name, value in flavor.items() if name != "disk_gb"}, **part}


def volumes_of(row: dict) -> dict:
    """What an operation's data say of its server's volumes: "volumes", whether it has any; "volume_requested", whether its host
    still attaches or detaches one. That is waited for, and no other is attached or detached until the operation ends.

    :param row: as the transaction that begins the operation has read it, with its block devices
    """
    return {"volumes": bool(row["block_devices"]), "volume_requested": instances.is_volume_requested(row)}


def begin(connection, ctx, row: dict, *, action: str, flavor: dict | None = None, host: str | None = None) -> str:
    """Begin a migration or resize; returns the id of the operation.

    :param row: the server, which has a host, as this transaction has read it, with its block devices
    :param action: "migrate" or "resize"
    :param flavor: the new flavor, as in a server's row, with "disk_gb"; None: unchanged
    :param host: the requested host; None: the scheduler chooses
    :raises InvalidState: the server's state does not allow it
    """
    machine.begin(connection, row["uuid"], action, request_id=ctx.request_id)
    if row["host"] is None:
        raise errors.Conflict(f"Instance {row['uuid']} has no host: it was never built.")
    new = flavor or {**row["flavor"], "disk_gb": row["disk_gb"]}
    kind = "migration" if action == "migrate" else "resize"
    migration = server_migrations.begin(connection, ctx, row, kind, new)
    return operations.begin(connection, ctx, MIGRATE, row["uuid"], row["attempt"] + 1, {
        "action": action, "migration": migration, "source": row["host"], "target": None, "requested_host": host,
        "vm_state": row["vm_state"], **volumes_of(row), "new": columns_of(new)})


def _begin_second(connection, ctx, row: dict, migration: dict | None, action: str, kind: str, status: str, also: dict) -> str:
    machine.begin(connection, row["uuid"], action, request_id=ctx.request_id)
    if migration is None or migration["status"] != server_migrations.FINISHED:
        raise errors.BadRequest("Instance has not been resized.")
    server_migrations.write(connection, migration["id"], status=status)
    data = {"action": action, "migration": migration["id"], "source": migration["source_host"], "target": migration["dest_host"],
            "vm_state": migration["vm_state"], **also, "old": columns_of(migration["old_flavor"])}
    return operations.begin(connection, ctx, kind, row["uuid"], row["attempt"] + 1, data)


def confirm(connection, ctx, row: dict) -> str:
    """Begin to remove the server from its source host; returns the id of the operation.

    :param row: the server, as this transaction has read it
    :raises InvalidState: the server is not waiting for confirmation
    :raises BadRequest: it was not resized or migrated
    """
    migration = server_migrations.open_of(connection, row["uuid"])
    return _begin_second(connection, ctx, row, migration, "confirmResize", CONFIRM, server_migrations.CONFIRMING, {})


def confirm_automatically(connection, ctx, uuid: str) -> str:
    """As ``confirm``, without a request: recorded as an action of its own. :raises NotFound: the server is gone"""
    row = rows.get(connection, TABLE, uuid, resource="instance", key="uuid")
    actions.start(connection, ctx, uuid, "confirmResize")
    return confirm(connection, ctx, row)


def revert(connection, ctx, row: dict, migration: dict | None) -> str:
    """Begin to move the server back to its source host. As ``confirm``.

    :param row: with its block devices
    :param migration: the server's open migration, if there is one
    :raises Conflict: the source host has not yet destroyed the guest that an earlier revert may have started there
    """
    for operation in operations.of_server(connection, row["uuid"]):
        if operation["kind"] == DESTROY:
            raise errors.Conflict(f"Host {operation['data']['host']} has not yet destroyed the guest that an earlier revert "
                                  "may have started there. Try again when the host is back.")
    return _begin_second(connection, ctx, row, migration, "revertResize", REVERT, server_migrations.REVERTING,
                         {"volumes": bool(row["block_devices"])})


def leave(connection, ctx, uuid: str) -> None:
    """Release a server's allocation on the other host of an unfinished migration, and have its files there removed as soon as
    possible. For servers that are deleted, or whose state an operator resets. Repeatable.
    """
    migration = server_migrations.open_of(connection, uuid)
    if migration is None:
        return
    server_migrations.write(connection, migration["id"], status=server_migrations.ERROR)
    if server_migrations.stays(migration):
        row = rows.find(connection, TABLE, uuid, key="uuid")
        if row is not None:
            allocations.change(connection, uuid, migration["source_host"], row, {})
        remove_kept_from(connection, ctx, uuid, migration)
        return
    server = instances.states_of(connection, uuid)
    for host in {migration["source_host"], migration["dest_host"]} - {None, server and server["host"]}:
        allocations.release(connection, uuid, host)
        remove_from(connection, ctx, uuid, host)


def give_back(connection, migration_id: int, keep: str) -> None:
    """Release what a server holds for a migration that has ended, except for one of its flavors.

    :param keep: NEW after a confirmation, OLD after a revert or an undo
    """
    migration = server_migrations.get(connection, migration_id)
    if migration is None:
        return
    left = migration["source_host" if keep == NEW else "dest_host"]
    if server_migrations.stays(migration):
        allocations.change(connection, migration["instance_uuid"], left, server_migrations.part(migration[keep]), {})
    elif left:
        allocations.release(connection, migration["instance_uuid"], left)


def remove_kept_from(connection, ctx, uuid: str, migration: dict) -> None:
    """Queue the removal of what a server's host has kept for a revert of a resize there."""
    operations.begin(connection, ctx, REMOVE_KEPT, uuid, 0, {"host": migration["source_host"], "migration": migration["id"]})


def remove_from(connection, ctx, uuid: str, host: str, *, evacuation: int | None = None) -> None:
    """Queue the removal of a server's files and guest from a host.

    :param evacuation: the id of the evacuation that becomes completed with it
    """
    data: dict = {"host": host}
    operations.begin(connection, ctx, REMOVE, uuid, 0, data if evacuation is None else {**data, "migration": evacuation})


def removals_from(connection, host: str) -> set[str]:
    """The servers that have left a host, which has not yet removed what it had of them."""
    left = {o["instance_uuid"] for o in operations.list_all(connection, kind=REMOVE) if o["data"]["host"] == host}
    return left - allocations.servers_on(connection, host, left)


def destroy_on(connection, ctx, uuid: str, migration_id: int, host: str) -> None:
    """Queue the destruction of a server's guest on its former host, without its disk."""
    operations.begin(connection, ctx, DESTROY, uuid, 0, {"host": host, "migration": migration_id})
