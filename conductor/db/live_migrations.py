"""Live migrations: how they begin, what is asked of one in progress, and how far it is.

The operation that ``conductor.operations.live`` runs, and the row in ``server_migrations``, begin in one transaction.
"""

import sqlalchemy as sa

from common import db, errors, rows
from conductor.db import hosts, machine, models, operations, resizes, server_migrations

TABLE = models.server_migrations
KIND, ACTION, TYPE = "live_migrate", "os-migrateLive", "live-migration"
QUEUED, PREPARING, RUNNING = server_migrations.QUEUED, server_migrations.LIVE_PREPARING, server_migrations.RUNNING
IN_PROGRESS = (QUEUED, PREPARING, RUNNING, server_migrations.MOVED)
ABORT, FORCE = "abort", "force"  # what may be asked of a migration


def begin(connection, ctx, row: dict, *, host: str | None, force: bool, block: bool | None) -> tuple[str, int]:
    """Begin to migrate a server.

    :param row: the server
    :param host: the requested host; None: the scheduler chooses
    :param force: go to the requested host whatever the scheduler's filters say
    :param block: whether the guest's disk is to be copied; None: if it has one
    :returns: (id of the operation, id of the migration)
    :raises InvalidState: the server's state does not allow it
    """
    machine.begin(connection, row["uuid"], ACTION, request_id=ctx.request_id)
    if row["host"] is None:
        raise errors.Conflict(f"Instance {row['uuid']} has no host: it was never built.")
    migration = server_migrations.begin(connection, ctx, row, TYPE, {**row["flavor"], "disk_gb": row["disk_gb"]}, status=QUEUED)
    return operations.begin(connection, ctx, KIND, row["uuid"], row["attempt"] + 1, {
        "migration": migration, "source": row["host"], "target": None, "requested_host": host, "force": force, "block": block,
        "has_disk": bool(row["image_meta"] or row["flavor"].get("local_disks")), "vm_state": row["vm_state"],
        **resizes.volumes_of(row)}), migration


def in_progress(connection, uuid: str) -> list[dict]:
    return server_migrations.of_server(connection, uuid, type=TYPE, status=IN_PROGRESS)


def find(connection, uuid: str, migration_id: int) -> dict | None:
    """A migration of a server, of any kind and in any state."""
    found = server_migrations.of_server(connection, uuid, id=migration_id)
    return found[0] if found else None


def ask(connection, migration_id: int, action: str, statuses: tuple[str, ...]) -> bool:
    """Ask for the end of a migration (ABORT), or for a pause of the guest until it has ended (FORCE).

    :returns: False: its status is none of these
    """
    return connection.execute(sa.update(TABLE).where(TABLE.c.id == migration_id, TABLE.c.status.in_(statuses)).values(
        requested_action=action, updated_at=db.now())).rowcount > 0


def state_before(connection, migration_id: int, host: str, down_time_s: int) -> tuple[bool, str | None]:
    """Whether a host is up, and what is asked of a migration, in one statement."""
    asked = sa.select(TABLE.c.requested_action).where(TABLE.c.id == migration_id).scalar_subquery()
    return hosts.service_up_and(connection, host, down_time_s, asked)


def requested_action(connection, migration_id: int) -> str | None:
    return connection.execute(sa.select(TABLE.c.requested_action).where(TABLE.c.id == migration_id)).scalar()


def report(connection, operation_id: str, number: int, progress: dict | None) -> dict:
    """Store how far a migration is.

    :param progress: {"memory_total", ...}: bytes, as the API shows them; None: the source has not begun
    :returns: {"current": whether the operation is still at this step, "requested_action": ABORT, FORCE or None}
    """
    c, of = TABLE.c, operations.TABLE.c
    asked = sa.select(c.requested_action).where(c.instance_uuid == of.instance_uuid, c.type == TYPE, c.status.in_(
        IN_PROGRESS)).order_by(c.id.desc()).limit(1).scalar_subquery()
    row, server = operations.get_with_server(connection, operation_id, more=asked)
    if row is None or row["number"] != number or server is None or server["attempt"] != row["attempt"]:
        return {"current": False, "requested_action": None}
    if progress is not None:
        # Only before the guest has moved: the step may be recorded concurrently.
        rows.update_where(connection, TABLE, {"status": RUNNING, "progress": progress, "updated_at": db.now()},
                          id=row["data"]["migration"], status=(QUEUED, PREPARING, RUNNING))
    return {"current": True, "requested_action": row["_more"]}
