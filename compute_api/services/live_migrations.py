"""Live migrations of servers: the checks before one begins, and the requests to one in progress."""

import time

from common import errors, guest_needs
from common.calls import Call
from common.server_states import ACTIVE, LIVE_MIGRATING
from compute_api import access
from conductor.db import actions, hosts, instances, live_migrations, server_migrations
from conductor.db.live_migrations import ABORT, FORCE, IN_PROGRESS, PREPARING, QUEUED, RUNNING

ASYNCHRONOUS = (2, 34)  # since which only the migration shows a failure before the guest moves
CHECKED_S, LOOK_S = 60.0, 0.1


def migrate(call: Call, id: str, host: str | None, *, block: bool | None, force: bool) -> None:
    """Begin to migrate a running server. Before 2.34, wait until its guest moves.

    :param host: the target; None: the scheduler chooses
    :param block: whether its disk is to be copied; None: if it has one
    :param force: migrate to ``host`` without the scheduler's filters
    :raises BadRequest: there is no such host, or it cannot go there
    :raises Conflict: the server's state, or its hypervisor, does not allow it
    """
    rule = "os_compute_api:os-migrate-server:migrate_live:host" if host else "os_compute_api:os-migrate-server:migrate_live"
    with call.svc.db.writer() as connection:
        row = access.server(call, connection, id, rule)
        access.check_lock(call, row)
        access.check_hypervisor(connection, row, guest_needs.LIVE_MIGRATION)
        if host and not hosts.is_known(connection, host):
            raise errors.BadRequest(f"Compute host {host} could not be found.")
        operation_id, migration_id = live_migrations.begin(connection, call.ctx, row, host=host, force=force, block=block)
        actions.start(connection, call.ctx, id, "live-migration")
    call.svc.send(call.svc.conductor.drive_operation, call.ctx, operation_id)
    call.svc.notifier.notify(call.ctx, "compute.instance.live_migration.pre.start", instances.notification_payload(row))
    if call.version < ASYNCHRONOUS:
        _wait_checked(call, id, migration_id)


def _wait_checked(call: Call, id: str, migration_id: int) -> None:
    """:raises BadRequest: the checks before the migration failed"""
    until = time.monotonic() + CHECKED_S
    while time.monotonic() < until:
        with call.svc.db.reader() as connection:
            migration = live_migrations.find(connection, id, migration_id)
            action = actions.find(connection, id, call.ctx.request_id)
        if migration is None or migration["status"] not in (QUEUED, PREPARING):
            if migration and migration["status"] == server_migrations.ERROR:
                raise errors.BadRequest(f"Migration pre-check error: {action and action['message']}")
            return
        time.sleep(LOOK_S)


def is_in_progress(row: dict) -> bool:
    """Whether a migration, of any kind, is a live migration that has not ended."""
    return row["type"] == live_migrations.TYPE and row["status"] in IN_PROGRESS


def index(call: Call, id: str) -> tuple[list[dict], bool]:
    """The live migrations of a server that are in progress, and whether the caller sees their hosts."""
    with call.svc.db.reader() as connection:
        row = access.server(call, connection, id, "os_compute_api:servers:migrations:index")
        return live_migrations.in_progress(connection, id), call.svc.policy.allows(
            call.ctx, "os_compute_api:servers:migrations:index:host", access.target(row))


def show(call: Call, id: str, migration_id: int) -> dict:
    """:raises NotFound: the server has no such live migration, or it is not in progress"""
    with call.svc.db.reader() as connection:
        access.server(call, connection, id, "os_compute_api:servers:migrations:show")
        found = live_migrations.find(connection, id, migration_id)
    if found is None:
        raise errors.NotFound(f"In-progress live migration {migration_id} is not found for server {id}.")
    if found["type"] != live_migrations.TYPE:
        raise errors.NotFound(f"Migration {migration_id} for server {id} is not live-migration.")
    if found["status"] not in IN_PROGRESS:
        raise errors.NotFound(f"Live migration {migration_id} for server {id} is not in progress.")
    return found


def abort(call: Call, id: str, migration_id: int, *, queued: bool) -> None:
    """Abort a migration: the guest stays on its host.

    :param queued: also if it has not begun to move
    :raises NotFound: the server has no such migration
    :raises Conflict: it is not being migrated
    :raises BadRequest: the guest has moved already, or has not begun to
    """
    _ask(call, id, migration_id, ABORT, "os_compute_api:servers:migrations:delete", "abort live migration",
         "live_migration_cancel", (RUNNING, QUEUED, PREPARING) if queued else (RUNNING,))


def force_complete(call: Call, id: str, migration_id: int) -> None:
    """Pause the guest until it has moved, so that its memory does not change any more.

    :raises BadRequest: the server has no such migration, or the guest does not move
    :raises Conflict: it is not being migrated
    """
    _ask(call, id, migration_id, FORCE, "os_compute_api:servers:migrations:force_complete", "force complete",
         "live_migration_force_complete", (RUNNING,), vm_states=(ACTIVE,), unknown=errors.BadRequest)


def _ask(call: Call, id: str, migration_id: int, action: str, rule: str, what: str, recorded: str, statuses: tuple[str, ...],
         vm_states: tuple[str, ...] = (), unknown: type[errors.Error] = errors.NotFound) -> None:
    """
    :param statuses: of the migration, and ``vm_states`` of the server, that allow it
    :param unknown: what is raised if the server has no such migration
    """
    with call.svc.db.writer() as connection:
        row = access.server(call, connection, id, rule)
        access.check_lock(call, row)
        for attr, allowed in (("vm_state", vm_states), ("task_state", (LIVE_MIGRATING,))):
            if allowed and row[attr] not in allowed:
                raise errors.InvalidState(action=what, resource="instance", id=id, attr=attr, state=row[attr])
        found = live_migrations.find(connection, id, migration_id)
        if found is None:
            raise unknown(f"Migration {migration_id} not found for instance {id}")
        if not live_migrations.ask(connection, migration_id, action, statuses):
            raise errors.BadRequest(f"Migration {migration_id} state of instance {id} is {found['status']}. "
                                    f"Cannot {what} while the migration is in this state.")
        actions.start(connection, call.ctx, id, recorded)
