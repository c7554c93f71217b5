"""Single-use tokens for consoles of servers. The database holds only their hashes."""

import datetime
import hashlib
import secrets

import sqlalchemy as sa

from common import db, rows
from conductor.db import models

TABLE, INSTANCES = models.console_auth_tokens, models.instances
# Actions during which tokens stay valid, because the guest remains on its host. All others revoke the server's tokens.
KEEPING = frozenset(("schedule", "build", "spawn", "start", "reboot", "reboot-hard", "pause", "unpause", "resume",
                     "image_snapshot", "image_backup", "confirmResize"))


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def create(connection, ctx, instance_uuid: str, console_type: str, ttl_s: int) -> str:
    """Create a token for one console of one server, valid for ``ttl_s`` seconds. Deletes expired tokens."""
    token, now = secrets.token_urlsafe(32), db.now()
    connection.execute(sa.delete(TABLE).where(TABLE.c.expires_at <= now))
    connection.execute(sa.insert(TABLE).values(
        token_hash=_hash(token), instance_uuid=instance_uuid, console_type=console_type, request_id=ctx.request_id,
        user_id=ctx.user_id, expires_at=now + datetime.timedelta(seconds=ttl_s)))
    return token


def find(connection, token: str) -> dict | None:
    """{"instance_uuid", "console_type", "request_id", "user_id", "host": current host of the server}; None if the
    token is not valid."""
    columns = (TABLE.c.instance_uuid, TABLE.c.console_type, TABLE.c.request_id, TABLE.c.user_id, INSTANCES.c.host)
    return rows.one(connection, sa.select(*columns).join(INSTANCES, INSTANCES.c.uuid == TABLE.c.instance_uuid).where(
        TABLE.c.token_hash == _hash(token), TABLE.c.expires_at > db.now(), INSTANCES.c.host.is_not(None)))


def redeem(connection, token: str) -> dict | None:
    """As ``find``, and deletes the token. Of concurrent calls with the same token, one succeeds."""
    found = find(connection, token)
    if found is None:
        return None
    used = connection.execute(sa.delete(TABLE).where(TABLE.c.token_hash == _hash(token)))
    return found if used.rowcount else None


def revoke(connection, instance_uuid: str) -> None:
    """Delete the tokens of a server."""
    connection.execute(sa.delete(TABLE).where(TABLE.c.instance_uuid == instance_uuid))
