"""Queries on volumes, and the table of their states."""

import datetime
import typing

import sqlalchemy as sa

from common import db, errors, quotas, rows, states, upgrade
from volume.conf import QUOTA_RESOURCES
from volume.db import models

TABLE, ATTACHMENTS, TYPES = models.volumes, models.attachments, models.volume_types

# Size for quotas and the backend: includes a pending extension.
PROMISED_GB = sa.func.coalesce(TABLE.c.extending_to, TABLE.c.size)
# {action: (allowed states, state after it)}
ACTIONS = {
    "created": ({"creating"}, "available"), "create_failed": ({"creating"}, "error"),
    "delete": ({"available", "error", "error_deleting"}, "deleting"), "delete_failed": ({"deleting"}, "error_deleting"),
    "reserve": ({"available"}, "reserved"), "reserve_multiattach": ({"available", "in-use"}, "reserved"),
    "attach": ({"reserved", "attaching"}, "attaching"),
    "hold": ({"available"}, "attaching"), "connect": ({"available", "attaching"}, "attaching"),
    "unhold": ({"attaching", "reserved"}, "available"),
    # A reserved one: its server has no host yet, and connects it later.
    "complete": ({"reserved", "attaching", "in-use"}, "in-use"), "begin_detaching": ({"in-use"}, "detaching"),
    "roll_detaching": ({"detaching"}, "in-use"),
    "settle": ({"reserved", "attaching", "detaching"}, "in-use"),  # other attachments are left, all of them complete
    "rejoin": ({"in-use", "detaching"}, "attaching"),  # an incomplete one is kept
    # The last connected attachment has ended beside a reserved one.
    "disconnected": ({"reserved", "attaching", "in-use", "detaching"}, "reserved"),
    "detach": ({"reserved", "attaching", "in-use", "detaching", "error"}, "available"),
    "extend": ({"available"}, "extending"), "extended": ({"extending"}, "available"),
    "extend_failed": ({"extending"}, "error_extending"),
    "reimage": ({"available", "error"}, "downloading"), "reimage_reserved": ({"available", "error", "reserved"}, "downloading"),
    "reimaged": ({"downloading"}, "available"), "reimaged_reserved": ({"downloading"}, "reserved"),
    "reimage_failed": ({"downloading"}, "error"),
    "upload": ({"available"}, "uploading"), "upload_in_use": ({"available", "in-use"}, "uploading"),
    "uploaded": ({"uploading"}, "available"), "uploaded_in_use": ({"uploading"}, "in-use"),
    "extend_attached": ({"in-use"}, "extending"), "extended_attached": ({"extending"}, "in-use"),
}


def move(connection, volume_id: str, action: str, **values) -> None:
    """:raises InvalidState: with Cinder's text"""
    move_status(connection, TABLE, ACTIONS, "volume", volume_id, action, values)


def move_status(connection, table, actions: dict, resource: str, row_id: str, action: str, values: dict) -> None:
    """``move`` for any table of this service with a ``status``. ``actions``: as ACTIONS above."""
    allowed, to = actions[action]
    try:
        states.move(connection, table, row_id, column="status", allowed=allowed, to=to, action=action,
                    resource=resource, values={"updated_at": db.now(), **values})
    except errors.InvalidState as error:
        raise errors.BadRequest(f"Invalid {resource}: {resource.capitalize()} status must be {', '.join(sorted(allowed))}, "
                                f"but is {error.arguments.get('state')}.") from error


def get(connection, project_id: str | None, volume_id: str) -> dict:
    """A volume of a project, or of any project (None). :raises NotFound: there is none"""
    return complete(connection, [of_project(connection, project_id, TABLE, volume_id, absent(volume_id))])[0]


def absent(volume_id: str) -> str:
    return f"Volume {volume_id} could not be found."


def of_project(connection, project_id: str | None, table, row_id: str, missing: str) -> dict:
    """``get`` for any table with projects. :raises NotFound: with the text ``missing``"""
    row = rows.find(connection, table, row_id, **({} if project_id is None else {"project_id": project_id}))
    if row is None:
        raise errors.NotFound(missing)
    return row


def complete(connection, found: list[dict]) -> list[dict]:
    """Add attachments and type names to rows, in two statements."""
    if not found:
        return found
    held = rows.many(connection, sa.select(ATTACHMENTS).where(ATTACHMENTS.c.volume_id.in_([r["id"] for r in found])))
    names = dict(connection.execute(sa.select(TYPES.c.id, TYPES.c.name)).all())
    return [{**r, "volume_type": names.get(r["volume_type_id"]),
             "attachments": [a for a in held if a["volume_id"] == r["id"]]} for r in found]


def notification_payload(row: dict) -> dict:
    """The payload of notifications about a volume."""
    names = {"volume_id": "id", "display_name": "name", "tenant_id": "project_id", "user_id": "user_id", "size": "size",
             "status": "status", "volume_type": "volume_type_id", "availability_zone": "availability_zone",
             "host": "host", "created_at": "created_at"}
    return {new: row.get(old) for new, old in names.items()}


# The WHERE of the volumes that are attached.
ATTACHED = sa.exists().where(ATTACHMENTS.c.volume_id == TABLE.c.id, ATTACHMENTS.c.attach_status == "attached")


def totals(connection, *conditions) -> tuple[int, int]:
    """(number of volumes, their size in GiB)"""
    count, size_gb = connection.execute(sa.select(sa.func.count(), sa.func.coalesce(sa.func.sum(TABLE.c.size), 0)).where(
        *conditions)).one()
    return count, int(size_gb)


def usage(connection, project_id: str) -> dict:
    """{"volumes", "gigabytes", "snapshots"} counted from rows; snapshots count as gigabytes too."""
    count, size = connection.execute(sa.select(sa.func.count(), sa.func.coalesce(sa.func.sum(PROMISED_GB), 0))
                                     .where(TABLE.c.project_id == project_id)).one()
    s = models.snapshots
    taken, copied = connection.execute(sa.select(sa.func.count(), sa.func.coalesce(sa.func.sum(s.c.volume_size), 0))
                                       .where(s.c.project_id == project_id)).one()
    return {"volumes": int(count), "gigabytes": int(size) + int(copied), "snapshots": int(taken)}


def limits(connection, conf, project_id: str) -> dict:
    return quotas.limits(connection, models.quotas, project_id, {r: getattr(conf.quota, r) for r in QUOTA_RESOURCES})


def check_quota(connection, conf, project_id: str, size: int, count: int = 1, *, snapshots: int = 0,
                whole_gb: int | None = None) -> None:
    """Check the quota for additional volumes or snapshots.

    :param size: additional GiB
    :param whole_gb: size of the whole volume; by default ``size``
    :raises TooLarge: with the text of the volume API's overLimit fault
    """
    quotas.lock_owner(connection, project_id)
    limit, used = limits(connection, conf, project_id), usage(connection, project_id)
    whole_gb = size if whole_gb is None else whole_gb
    if limit["per_volume_gigabytes"] >= 0 and whole_gb > limit["per_volume_gigabytes"]:
        raise errors.TooLarge(f"VolumeSizeExceedsLimit: Requested volume size {whole_gb}G is larger than maximum allowed "
                              f"limit {limit['per_volume_gigabytes']}G.")
    if count and 0 <= limit["volumes"] < used["volumes"] + count:
        raise errors.TooLarge(f"VolumeLimitExceeded: Maximum number of volumes allowed ({limit['volumes']}) exceeded "
                              f"for quota 'volumes'. {used['volumes']} are in use.")
    if snapshots and 0 <= limit["snapshots"] < used["snapshots"] + snapshots:
        raise errors.TooLarge(f"SnapshotLimitExceeded: Maximum number of snapshots allowed ({limit['snapshots']}) exceeded "
                              f"for quota 'snapshots'. {used['snapshots']} are in use.")
    if 0 <= limit["gigabytes"] < used["gigabytes"] + size:
        raise errors.TooLarge(f"VolumeSizeExceedsAvailableQuota: Requested volume or snapshot exceeds allowed gigabytes"
                              f" quota. Requested {size}G, quota is {limit['gigabytes']}G and {used['gigabytes']}G has "
                              f"been consumed.")


def heartbeat(connection, binary: str, host: str, capabilities: dict, rpc_version: str | None = None) -> None:
    table, at = models.services, db.now()
    done = connection.execute(sa.update(table).where(table.c.binary == binary, table.c.host == host).values(
        updated_at=at, capabilities=capabilities, rpc_version=rpc_version))
    if done.rowcount == 0:
        connection.execute(sa.insert(table).values(binary=binary, host=host, disabled=False, zone="nova",
                                                   capabilities=capabilities, updated_at=at, rpc_version=rpc_version))


def rpc_versions(database: db.Database) -> list[str | None]:
    """The RPC versions of the volume agents that may still be running."""
    s, since = models.services, db.now() - datetime.timedelta(seconds=upgrade.VERSION_EXPIRES_S)
    with database.reader() as connection:
        return list(connection.execute(sa.select(s.c.rpc_version).distinct().where(
            s.c.binary == "cinder-volume", s.c.updated_at > since)).scalars())


def seal_stored(connection, seal: typing.Callable[[dict], dict]) -> None:
    """Encrypt secrets that an older release stored in plain text."""
    for row_id, info in connection.execute(sa.select(ATTACHMENTS.c.id, ATTACHMENTS.c.connection_info)).all():
        changed = seal(info)
        if changed != info:
            connection.execute(sa.update(ATTACHMENTS).where(ATTACHMENTS.c.id == row_id).values(connection_info=changed))
