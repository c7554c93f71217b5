"""The row of a volume while it is extended.

In status ``extending``, ``extending_to`` is the requested size until the backend has extended the volume; from then on the new
size is final, and the status only means that the server has not confirmed it yet.
"""

import sqlalchemy as sa

from volume.db import models, volumes

TABLE, ATTACHMENTS = models.volumes, models.attachments


def begin(connection, conf, row: dict, size_gb: int, *, attached: bool, request_id: str) -> None:
    """:param row: the volume, as read in this transaction
    :raises TooLarge: over the project's quota
    :raises BadRequest: the volume is in another state
    """
    volumes.move(connection, row["id"], "extend_attached" if attached else "extend", fault=None, request_id=request_id)
    volumes.check_quota(connection, conf, row["project_id"], size_gb - row["size"], 0, whole_gb=size_gb)
    connection.execute(sa.update(TABLE).where(TABLE.c.id == row["id"]).values(extending_to=size_gb))


def _hold(connection, volume_id: str):
    """The row, locked, because its attachments and next status must be read consistently."""
    return connection.execute(sa.select(TABLE).where(TABLE.c.id == volume_id).with_for_update()).first()


def _attached(connection, volume_id: str) -> bool:
    # Locked, to read the current state on databases with snapshot isolation.
    return connection.execute(sa.select(ATTACHMENTS.c.id).where(
        ATTACHMENTS.c.volume_id == volume_id).with_for_update()).first() is not None


def grown(connection, volume_id: str, size_gb: int) -> None:
    """The backend has extended the volume. The status and its time are unchanged."""
    connection.execute(sa.update(TABLE).where(TABLE.c.id == volume_id, TABLE.c.size < size_gb).values(size=size_gb))
    connection.execute(sa.update(TABLE).where(TABLE.c.id == volume_id, TABLE.c.extending_to <= size_gb).values(
        extending_to=None))


def settle(connection, volume_id: str, *, fault: str | None = None) -> bool:
    """End the extension: the volume becomes in-use, or available if it is not attached any more. Repeatable.

    :param fault: why its server does not see the new size yet
    :returns: whether it was extending
    """
    row = _hold(connection, volume_id)
    if row is None or row.status != "extending":
        return False
    volumes.move(connection, volume_id, "extended_attached" if _attached(connection, volume_id) else "extended", fault=fault)
    return True


def give_up(connection, volume_id: str, fault: str) -> bool:
    """The backend failed: the volume keeps its size, and the quota is released.

    Unlike in Cinder, an attached volume becomes in-use again, so that it can be detached.

    :returns: False if the backend had extended it, or it is in another state
    """
    row = _hold(connection, volume_id)
    if row is None or row.status != "extending" or row.extending_to is None:
        return False
    action = "extended_attached" if _attached(connection, volume_id) else "extend_failed"
    volumes.move(connection, volume_id, action, fault=fault, extending_to=None)
    return True


def detached(connection, volume_id: str) -> bool:
    """Whether a volume that lost its attachment is being extended. If only its server was still to confirm, the extension is
    finished."""
    row = _hold(connection, volume_id)
    if row is None or row.status != "extending":
        return False
    if row.extending_to is None:
        settle(connection, volume_id)
    return True
