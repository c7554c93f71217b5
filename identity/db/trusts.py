"""Valid trusts."""

import time

import sqlalchemy as sa

from common import rows
from identity.db import models

TABLE = models.trusts


def alive(row: dict) -> bool:
    return (row["expires_at"] is None or row["expires_at"] > time.time()) and row["remaining_uses"] != 0


def find(connection, trust_id: str) -> dict | None:
    """A trust that has neither expired nor been used up, or None."""
    row = rows.one(connection, sa.select(TABLE).where(TABLE.c.id == trust_id))
    return row if row and alive(row) else None


def use(connection, row: dict) -> bool:
    """Decrement the remaining uses of a trust, if it is limited, by compare-and-swap; False if none was left."""
    if row["remaining_uses"] is None:
        return True
    c = TABLE.c
    return connection.execute(sa.update(TABLE).where(c.id == row["id"], c.remaining_uses > 0)
                              .values(remaining_uses=c.remaining_uses - 1)).rowcount == 1


def of_domain(connection, domain_id: str) -> list[str]:
    """The ids of the trusts whose trustor or trustee is in a domain."""
    users = models.users
    return list(connection.execute(sa.select(TABLE.c.id).distinct().join(
        users, users.c.id.in_([TABLE.c.trustor_user_id, TABLE.c.trustee_user_id])).where(
        users.c.domain_id == domain_id)).scalars())
