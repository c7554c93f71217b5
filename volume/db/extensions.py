"""How a volume grows, in its row.

While its status is ``extending``, ``extending_to`` is the size that was asked for, until the backend has it; then it is the
volume's size, whatever happens after. From there on the status only says that its server has not confirmed it yet.
"""

import sqlalchemy as sa

from volume.db import models, volumes

TABLE, ATTACHMENTS = models.volumes, models.attachments


def begin(connection, conf, row: dict, size_gb: int, *, attached: bool, request_id: str) -> None:
    """:param row: the volume as it was read in this transaction
    :raises TooLarge: over the project's quota
    :raises BadRequest: the volume is in another state
    """
    volumes.move(connection, row["id"], "extend_attached" if attached else "extend", fault=None, request_id=request_id)
    volumes.check_quota(connection, conf, row["project_id"], size_gb - row["size"], 0, whole_gb=size_gb)
    connection.execute(sa.update(TABLE).where(TABLE.c.id == row["id"]).values(extending_to=size_gb))


def _hold(connection, volume_id: str):
    """The row, locked: whether it is attached and what its status becomes must be one decision."""
    return connection.execute(sa.select(TABLE).where(TABLE.c.id == volume_id).with_for_update()).first()


def _attached(connection, volume_id: str) -> bool:
    # Locked, so that it is read as it is now on databases whose transactions go on seeing what was there at first.
    return connection.execute(sa.select(ATTACHMENTS.c.id).where(
        ATTACHMENTS.c.volume_id == volume_id).with_for_update()).first() is not None


def grown(connection, volume_id: str, size_gb: int) -> None:
    """The backend has it. Its status stays, and so does the time since when it is in it."""
    connection.execute(sa.update(TABLE).where(TABLE.c.id == volume_id, TABLE.c.size < size_gb).values(size=size_gb))
    connection.execute(sa.update(TABLE).where(TABLE.c.id == volume_id, TABLE.c.extending_to <= size_gb).values(
        extending_to=None))


def settle(connection, volume_id: str, *, fault: str | None = None) -> bool:
    """The end of it: in use again, or available where it is attached to nothing (any more). Repeatable.

    :param fault: why its server does not see the new size yet
    :returns: whether it was extending
    """
    row = _hold(connection, volume_id)
    if row is None or row.status != "extending":
        return False
    volumes.move(connection, volume_id, "extended_attached" if _attached(connection, volume_id) else "extended", fault=fault)
    return True


def give_up(connection, volume_id: str, fault: str) -> bool:
    """The backend cannot: the volume is as large as before, and its quota is given back.

    One that is in use stays so, unlike Cinder's, which could not even be detached any more.

    :returns: whether that is so; False where the backend had grown it, or it is in another state
    """
    row = _hold(connection, volume_id)
    if row is None or row.status != "extending" or row.extending_to is None:
        return False
    action = "extended_attached" if _attached(connection, volume_id) else "extend_failed"
    volumes.move(connection, volume_id, action, fault=fault, extending_to=None)
    return True


def detached(connection, volume_id: str) -> bool:
    """Whether the volume that has lost its attachment is growing. Where only its server was waited for, that is the end of it."""
    row = _hold(connection, volume_id)
    if row is None or row.status != "extending":
        return False
    if row.extending_to is None:
        settle(connection, volume_id)
    return True
