"""Proofs that count once: signed requests and receipts. Whoever has seen one must not use it again, at any worker."""

import hashlib
import time

import sqlalchemy as sa

from common import errors, rows
from identity.db import models

TABLE = models.used_proofs


def use(connection, kind: str, proof: str, until: float) -> None:
    """Record the use of a proof, in the caller's transaction. Only for valid proofs, so that nobody can fill the table.

    :param kind: what it is, so that unlike proofs never meet
    :param until: epoch seconds after which it would be refused as too old anyhow
    :raises Unauthorized: it was used before
    """
    now = time.time()
    connection.execute(sa.delete(TABLE).where(TABLE.c.expires_at < now))
    digest = hashlib.sha256(f"{kind}\n{proof}".encode("utf-8", "replace")).hexdigest()
    try:
        rows.insert(connection, TABLE, {"digest": digest, "expires_at": until}, conflict="It was used before.")
    except errors.Conflict:
        raise errors.Unauthorized() from None
