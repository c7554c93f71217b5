"""Signed requests and receipts that can be used once, so that nobody who has seen one can replay it, at any worker."""

import hashlib
import time

import sqlalchemy as sa

from common import errors, rows
from identity.db import models

TABLE = models.used_proofs


def use(connection, kind: str, proof: str, until: float) -> None:
    """Record the use of a proof, in the caller's transaction. Call it only for valid proofs, so that attackers cannot
    fill the table.

    :param kind: type of the proof, so that different types cannot collide
    :param until: epoch seconds after which it would have expired
    :raises Unauthorized: it was used before
    """
    now = time.time()
    connection.execute(sa.delete(TABLE).where(TABLE.c.expires_at < now))
    digest = hashlib.sha256(f"{kind}\n{proof}".encode("utf-8", "replace")).hexdigest()
    try:
        rows.insert(connection, TABLE, {"digest": digest, "expires_at": until}, conflict="It was used before.")
    except errors.Conflict:
        raise errors.Unauthorized() from None
