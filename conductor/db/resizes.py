"""How a server begins to move to another host, perhaps with another flavor, and how that is confirmed, reverted or left.

Each moves the server's state and adds the operation that ``conductor.operations`` carries out, in one transaction.
"""

import sqlalchemy as sa

from common import errors
from conductor.db import actions, allocations, instances, machine, models, operations, server_migrations

TABLE = models.instances
MIGRATE, CONFIRM, REVERT, REMOVE, DESTROY = "migrate", "confirm_resize", "revert_resize", "remove", "destroy"


def columns_of(flavor: dict) -> dict:
    """What a flavor of a migration is in a server's row."""
    part = server_migrations.part(flavor)
    return {"flavor": {name: value for name, value in flavor.items() if name != "disk_gb"}, **part}


def _attempt(connection, uuid: str) -> int:
    return connection.execute(sa.select(TABLE.c.attempt).where(TABLE.c.uuid == uuid)).scalar_one()


def begin(connection, ctx, row: dict, *, action: str, flavor: dict | None = None, host: str | None = None) -> str:
    """Begin a migration or a resize; returns the operation's id.

    :param row: the server, which has a host
    :param action: "migrate" or "resize"
    :param flavor: the new one, as of a server's row, with "disk_gb"; None: it keeps its own
    :param host: where it must go; None: the scheduler chooses
    :raises InvalidState: the server's state does not allow it
    """
    machine.begin(connection, row["uuid"], action, request_id=ctx.request_id)
    if row["host"] is None:
        raise errors.Conflict(f"Instance {row['uuid']} has no host: it was never built.")
    new = flavor or {**row["flavor"], "disk_gb": row["disk_gb"]}
    kind = "migration" if action == "migrate" else "resize"
    migration = server_migrations.begin(connection, ctx, row, kind, new)
    return operations.begin(connection, ctx, MIGRATE, row["uuid"], _attempt(connection, row["uuid"]), {
        "action": action, "migration": migration, "source": row["host"], "target": None, "requested_host": host,
        "vm_state": row["vm_state"], "new": columns_of(new)})


def _begin_second(connection, ctx, uuid: str, action: str, kind: str, status: str, also: dict) -> str:
    machine.begin(connection, uuid, action, request_id=ctx.request_id)
    migration = server_migrations.open_of(connection, uuid)
    if migration is None or migration["status"] != server_migrations.FINISHED:
        raise errors.BadRequest("Instance has not been resized.")
    server_migrations.write(connection, migration["id"], status=status)
    data = {"action": action, "migration": migration["id"], "source": migration["source_host"], "target": migration["dest_host"],
            "vm_state": migration["vm_state"], **also, "old": columns_of(migration["old_flavor"])}
    return operations.begin(connection, ctx, kind, uuid, _attempt(connection, uuid), data)


def confirm(connection, ctx, uuid: str) -> str:
    """Begin to give up what the server has on its former host; returns the operation's id.

    :raises InvalidState: it does not wait for that
    :raises BadRequest: it was not moved
    """
    return _begin_second(connection, ctx, uuid, "confirmResize", CONFIRM, server_migrations.CONFIRMING, {})


def confirm_by_itself(connection, ctx, uuid: str) -> str:
    """As ``confirm``, asked for by nobody: with an action of its own in the server's history."""
    actions.start(connection, ctx, uuid, "confirmResize")
    return confirm(connection, ctx, uuid)


def revert(connection, ctx, uuid: str) -> str:
    """Begin to bring the server back to its former host. As ``confirm``.

    :raises Conflict: that host has still to destroy the guest that an earlier revert may have started there
    """
    for operation in operations.of_server(connection, uuid):
        if operation["kind"] == DESTROY:
            raise errors.Conflict(f"Host {operation['data']['host']} has still to destroy what an earlier revert may have "
                                  "started there. Try again when the host is back.")
    return _begin_second(connection, ctx, uuid, "revertResize", REVERT, server_migrations.REVERTING, {})


def leave(connection, ctx, uuid: str) -> None:
    """A server that is deleted, or whose state was reset by an operator, has nothing to do with another host any more: what
    it holds there is given back, and what is there of it is removed as soon as the host can. Repeatable."""
    migration = server_migrations.open_of(connection, uuid)
    if migration is None:
        return
    server_migrations.write(connection, migration["id"], status=server_migrations.ERROR)
    server = instances.states_of(connection, uuid)
    for host in {migration["source_host"], migration["dest_host"]} - {None, server and server["host"]}:
        allocations.release(connection, uuid, host)
        remove_from(connection, ctx, uuid, host)


def remove_from(connection, ctx, uuid: str, host: str) -> None:
    """Have what is left of a server on a host removed when that is possible."""
    operations.begin(connection, ctx, REMOVE, uuid, 0, {"host": host})


def destroy_on(connection, ctx, uuid: str, migration_id: int, host: str) -> None:
    """Have the guest of a server that may run on its former host destroyed when that is possible; its disk stays."""
    operations.begin(connection, ctx, DESTROY, uuid, 0, {"host": host, "migration": migration_id})
