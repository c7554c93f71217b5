"""Migrations, resizes and evacuations of servers, and the allocations that they hold until the server has moved: a migration or
resize until it is confirmed or reverted."""

import sqlalchemy as sa

from common import context, db, errors, rows
from common.server_states import LIVE_MIGRATING  # Nova has one word for the task and for a status of migrations
from conductor.db import models

TABLE = models.server_migrations
PREPARING, MIGRATING, MOVED, FINISHED, CONFIRMING, REVERTING, CONFIRMED, REVERTED, ERROR = (
    "pre-migrating", LIVE_MIGRATING, "post-migrating", "finished", "confirming", "reverting", "confirmed", "reverted", "error")
# Of an evacuation. DONE: the server has left its former host; COMPLETED: that host has removed what it had of the server.
ACCEPTED, DONE, FAILED, COMPLETED = "accepted", "done", "failed", "completed"
# Of a live migration, which ends as COMPLETED too.
QUEUED, LIVE_PREPARING, RUNNING, CANCELLED = "queued", "preparing", "running", "cancelled"
# In these states a server has allocations on both hosts.
OPEN = (PREPARING, MIGRATING, MOVED, FINISHED, CONFIRMING, REVERTING, ACCEPTED, QUEUED, LIVE_PREPARING, RUNNING)


def begin(connection, ctx, row: dict, kind: str, new_flavor: dict, status: str = PREPARING) -> int:
    """Add a migration; returns its id.

    :param row: the server
    :param kind: "migration", "resize", "evacuation" or "live-migration"
    :param new_flavor: as in a server's row, with "disk_gb" (root, ephemeral and swap)
    """
    at = db.now()
    done = connection.execute(sa.insert(TABLE).values(
        uuid=context.new_uuid(), instance_uuid=row["uuid"], project_id=row["project_id"], user_id=ctx.user_id, type=kind,
        status=status, source_host=row["host"], dest_host=None, vm_state=row["vm_state"],
        old_flavor={**row["flavor"], "disk_gb": row["disk_gb"]}, new_flavor=new_flavor, created_at=at, updated_at=at))
    return done.inserted_primary_key[0]


def write(connection, migration_id: int, **values) -> None:
    rows.update_where(connection, TABLE, {"updated_at": db.now(), **values}, id=migration_id)


def set_target(connection, migration_id: int, host: str, **values) -> bool:
    """Record the target of a migration. False: it has one, or has ended."""
    return connection.execute(sa.update(TABLE).where(
        TABLE.c.id == migration_id, TABLE.c.dest_host.is_(None), TABLE.c.status.in_(OPEN)).values(
        dest_host=host, updated_at=db.now(), **values)).rowcount > 0


def complete(connection, migration_id: int) -> None:
    """The former host of an evacuated server has removed what it had of it."""
    rows.update_where(connection, TABLE, {"updated_at": db.now(), "status": COMPLETED}, id=migration_id, status=DONE)


def get(connection, migration_id: int) -> dict | None:
    return rows.one(connection, sa.select(TABLE).where(TABLE.c.id == migration_id))


def get_with_server(connection, migration_id: int) -> tuple[dict | None, dict | None]:
    """The server, without its block devices, and the migration, in one statement; None and None if one of them does not exist."""
    server = models.instances
    found = rows.one(connection, sa.select(*(c.label(f"server_{c.name}") for c in server.c), TABLE).join(
        TABLE, TABLE.c.instance_uuid == server.c.uuid).where(TABLE.c.id == migration_id))
    if found is None:
        return None, None
    return {str(c.name): found.pop(f"server_{c.name}") for c in server.c}, found


def of_server(connection, uuid: str, **where) -> list[dict]:
    return rows.select(connection, TABLE, instance_uuid=uuid, order_by="id", **where)


def open_of(connection, uuid: str) -> dict | None:
    """The unfinished migration of a server: in progress, or waiting to be confirmed or reverted."""
    return rows.first(connection, TABLE, instance_uuid=uuid, status=OPEN)


def part(flavor: dict) -> dict:
    """The resources of a flavor, as in ``allocations``."""
    return {"vcpus": flavor["vcpus"], "memory_mb": flavor["ram"], "disk_gb": flavor["disk_gb"]}


def stays(migration: dict) -> bool:
    """Whether it is a resize on the server's own host."""
    return migration["source_host"] == migration["dest_host"]


def both(old: dict, new: dict) -> dict:
    """What a server holds of its host while it is resized there: disks for both flavors, CPUs and memory for the larger one, as
    its guest runs with one of them at a time.

    :param old: resources, as ``part`` returns them
    """
    return {name: old[name] + new[name] if name == "disk_gb" else max(old[name], new[name]) for name in old}


def held(connection) -> dict[tuple[str, str], dict]:
    """{(server, host): resources} on both hosts of all unfinished migrations."""
    found = {}
    for row in rows.select(connection, TABLE, status=OPEN):
        old, new, uuid = part(row["old_flavor"]), part(row["new_flavor"]), row["instance_uuid"]
        if stays(row):
            found[uuid, row["source_host"]] = both(old, new)
            continue
        found[uuid, row["source_host"]] = old
        if row["dest_host"]:
            found[uuid, row["dest_host"]] = new
    return found


def _growing(project_id: str):
    """The WHERE of the resizes of a project whose servers may not have the flavor yet that they are to have."""
    c = TABLE.c
    return sa.and_(c.project_id == project_id, c.type == "resize", c.status.in_((PREPARING, MIGRATING, MOVED, REVERTING)))


def count_growing(project_id: str) -> sa.ScalarSelect:
    """How many rows ``growth`` reads, to be read with another statement."""
    return sa.select(sa.func.count()).select_from(TABLE).where(_growing(project_id)).scalar_subquery()


def growth(connection, project_id: str, user_id: str | None = None) -> dict[str, int]:
    """{"vcpus", "ram"}: what pending resizes of a project's servers will add, or of one user's servers there."""
    c, server = TABLE.c, models.instances.c
    found = {"vcpus": 0, "ram": 0}
    for row in rows.many(connection, sa.select(c.status, c.old_flavor, c.new_flavor, server.vcpus, server.memory_mb).join_from(
            TABLE, models.instances, server.uuid == c.instance_uuid).where(
                _growing(project_id), sa.true() if user_id is None else server.user_id == user_id)):
        end = row["old_flavor"] if row["status"] == REVERTING else row["new_flavor"]
        for part, has in (("vcpus", row["vcpus"]), ("ram", row["memory_mb"])):
            found[part] += max(0, end[part] - has)
    return found


def page(connection, filters: dict[str, str], conditions: list, *, limit: int, marker: str | None,
         scope: dict[str, str]) -> list[dict]:
    """A page of migrations, newest first.

    :param filters: "host" (source or destination), "source_compute", "migration_type", or columns
    :param marker: uuid of the last migration of the previous page
    :param scope: conditions, {column: value}, on what the marker may be
    :raises BadRequest: there is no such marker
    """
    c = TABLE.c
    named = {"source_compute": c.source_host, "migration_type": c.type}
    where = [sa.or_(c.source_host == value, c.dest_host == value) if name == "host" else
             named[name] == value if name in named else c[name] == value for name, value in filters.items()]
    row = rows.first(connection, TABLE, uuid=marker, **scope) if marker else None
    if marker and row is None:
        raise errors.BadRequest(f"Marker {marker} could not be found.")
    return rows.page(connection, TABLE, *where, *conditions, sort=[("created_at", "desc"), ("id", "desc")], limit=limit,
                     marker_row=row) if limit else []


def unconfirmed(connection, before) -> list[dict]:
    """Migrations that have been waiting for confirmation since before a time."""
    return rows.many(connection, sa.select(TABLE).where(TABLE.c.status == FINISHED, TABLE.c.updated_at < before).limit(100))
