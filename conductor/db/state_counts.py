"""Counts of servers by status, and the servers that have an operation in progress: for status, metrics and audit."""

import sqlalchemy as sa

from common import rows, server_states
from conductor.db import models

TABLE, ACTIONS = models.instances, models.instance_actions


def servers(connection) -> dict[str, int]:
    """{status as users see it: count}, with 0 for statuses that no server has. One statement."""
    found = dict.fromkeys(server_states.STATUSES, 0)
    query = sa.select(TABLE.c.vm_state, TABLE.c.task_state, sa.func.count().label("servers"))
    for row in rows.many(connection, query.group_by(TABLE.c.vm_state, TABLE.c.task_state)):
        status = server_states.status(row)
        found[status] = found.get(status, 0) + row["servers"]
    return found


def in_progress(connection) -> list[dict]:
    """The servers that something is done with, those first that it takes longest. One statement.

    :returns: [{"uuid", "display_name", "project_id", "host", "vm_state", "task_state", "action", "request_id", "since"}]

    ``since`` is when the operation was requested; ``updated_at`` changes with every resend.
    """
    names = ("uuid", "display_name", "project_id", "host", "vm_state", "task_state", "updated_at")
    of_same = ACTIONS.alias()
    last = sa.select(sa.func.max(of_same.c.start_time)).where(of_same.c.instance_uuid == TABLE.c.uuid).scalar_subquery()
    columns = [*(TABLE.c[name] for name in names), ACTIONS.c.action, ACTIONS.c.request_id, ACTIONS.c.start_time]
    query = sa.select(*columns).select_from(TABLE).join(
        ACTIONS, sa.and_(ACTIONS.c.instance_uuid == TABLE.c.uuid, ACTIONS.c.start_time == last), isouter=True).where(
        sa.or_(TABLE.c.task_state.is_not(None), TABLE.c.vm_state == server_states.BUILDING))
    found = {}
    for row in rows.many(connection, query):
        updated, started = row.pop("updated_at"), row.pop("start_time")
        found[row["uuid"]] = {**row, "since": min(updated, started or updated)}
    return sorted(found.values(), key=lambda row: row["since"])


def last_steps(connection, found: list[dict]) -> dict[tuple[str, str], dict]:
    """The last recorded step of each server: {(uuid, request id): event}. One statement.

    :param found: of ``in_progress``
    """
    ids = {row["request_id"] for row in found if row["request_id"]}
    if not ids:
        return {}
    table = models.instance_events
    return {(row["instance_uuid"], row["request_id"]): row for row in rows.many(
        connection, sa.select(table).where(table.c.request_id.in_(ids)).order_by(table.c.id))}
