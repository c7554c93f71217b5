"""Revocation events: few, small, and gone when the tokens they name would have expired."""

import time

import sqlalchemy as sa

from common.db import many
from identity.db import models

TABLE = models.revocations
OVERLAP = 20


def add(connection, lifetime_s: int, **names) -> None:
    """Revoke what ``names`` (audit_id, user_id, project_id, …) describes and was issued until now."""
    at = time.time()
    connection.execute(sa.insert(TABLE).values(issued_before=at, expires_at=at + lifetime_s, **names))
    connection.execute(sa.delete(TABLE).where(TABLE.c.expires_at < at))


def after(connection, event_id: int) -> list[dict]:
    """Events newer than ``event_id``. The last few ids are sent again: ids may commit out of order."""
    return many(connection, sa.select(TABLE).where(TABLE.c.id > event_id - OVERLAP, TABLE.c.expires_at > time.time())
                .order_by(TABLE.c.id).limit(20000))
