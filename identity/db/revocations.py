"""Revocation events. They are few and small, and deleted when the revoked tokens would have expired."""

import time

import sqlalchemy as sa

from common import db
from identity.db import models

TABLE = models.revocations
OVERLAP = 20


def add(connection, lifetime_s: int, **names) -> None:
    """Revoke tokens with these attributes (audit_id, user_id, project_id, …) that were issued until now.

    Transactions that revoke are serialised: readers poll for events after the last id that they have, and would never
    see an event whose transaction began earlier and committed later than another's.
    """
    db.lock(connection, "revocations")
    at = time.time()
    connection.execute(sa.insert(TABLE).values(issued_before=at, expires_at=at + lifetime_s, **names))
    connection.execute(sa.delete(TABLE).where(TABLE.c.expires_at < at))


def after(connection, event_id: int) -> list[dict]:
    """Events newer than ``event_id``, and the last few before it."""
    return db.many(connection, sa.select(TABLE).where(TABLE.c.id > event_id - OVERLAP, TABLE.c.expires_at > time.time())
                   .order_by(TABLE.c.id).limit(20000))
