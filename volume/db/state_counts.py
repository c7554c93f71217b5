"""Counts of volumes and snapshots by status, and those with an operation in progress: for status, metrics and audit."""

import sqlalchemy as sa

from common import rows
from volume.db import models

VOLUMES, SNAPSHOTS = models.volumes, models.snapshots
# Statuses that end by themselves. "reserved" does not: volumes of shelved servers are.
TRANSIENT = ("creating", "deleting", "attaching", "detaching", "extending", "downloading", "uploading")
TRANSIENT_SNAPSHOT = ("creating", "deleting")
_SHOWN = ("available", "in-use", "error", "reserved", *TRANSIENT)
_SHOWN_SNAPSHOT = ("available", "error", *TRANSIENT_SNAPSHOT)


def volumes(connection) -> list[dict]:
    """[{"host", "status", "volumes", "gb"}]. One statement."""
    return rows.many(connection, sa.select(VOLUMES.c.host, VOLUMES.c.status, sa.func.count().label("volumes"),
                                           sa.func.sum(VOLUMES.c.size).label("gb")).group_by(VOLUMES.c.host, VOLUMES.c.status))


def by_status(found: list[dict], key: str) -> dict[str, int]:
    """{status: sum of ``key``}, with 0 for usual statuses without volumes."""
    sums = dict.fromkeys(_SHOWN, 0)
    for row in found:
        sums[row["status"]] = sums.get(row["status"], 0) + int(row[key])
    return sums


def snapshots(connection) -> dict[str, int]:
    """{status: count}, with 0 for usual statuses without snapshots. One statement."""
    query = sa.select(SNAPSHOTS.c.status, sa.func.count()).group_by(SNAPSHOTS.c.status)
    return dict.fromkeys(_SHOWN_SNAPSHOT, 0) | {status: count for status, count in connection.execute(query)}


def in_progress(connection) -> list[dict]:
    """Volumes and snapshots with an operation in progress, longest first. Two statements.

    :returns: [{"kind", "id", "name", "project_id", "host", "status", "fault", "request_id", "since"}]
    """
    v, s = VOLUMES.c, SNAPSHOTS.c
    found = rows.many(connection, sa.select(
        sa.literal("volume").label("kind"), v.id, v.name, v.project_id, v.host, v.status, v.fault, v.request_id,
        v.updated_at.label("since")).where(v.status.in_(TRANSIENT)))
    found += rows.many(connection, sa.select(
        sa.literal("snapshot").label("kind"), s.id, s.name, s.project_id, v.host, s.status, s.fault, s.request_id,
        s.updated_at.label("since")).join(VOLUMES, v.id == s.volume_id).where(s.status.in_(TRANSIENT_SNAPSHOT)))
    return sorted(found, key=lambda row: row["since"])
