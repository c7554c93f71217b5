"""Revocation events: few, small, and gone when the tokens they name would have expired."""

import time

import sqlalchemy as sa

from common import db
from identity.db import models

TABLE = models.revocations
OVERLAP = 20


def add(connection, lifetime_s: int, **names) -> None:
    """Revoke what ``names`` (audit_id, user_id, project_id, …) describes and was issued until now.

    Transactions that revoke wait for each other. Who pulls events asks for those after the last id that he has: one whose
    transaction began earlier and ends later than another's would never reach him.
    """
    db.lock(connection, "revocations")
    at = time.time()
    connection.execute(sa.insert(TABLE).values(issued_before=at, expires_at=at + lifetime_s, **names))
    connection.execute(sa.delete(TABLE).where(TABLE.c.expires_at < at))


def after(connection, event_id: int) -> list[dict]:
    """Events newer than ``event_id``, with the last few before it."""
    return db.many(connection, sa.select(TABLE).where(TABLE.c.id > event_id - OVERLAP, TABLE.c.expires_at > time.time())
                   .order_by(TABLE.c.id).limit(20000))
