"""Time-based one-time passwords: a user's credentials of type ``totp`` contain the secrets, in base32. Source: RFC 6238."""

import base64
import binascii
import hmac
import time

import sqlalchemy as sa
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.twofactor.totp import TOTP

from common.db import many
from identity.db import models

TABLE = models.credentials
STEP_S = 30


def passcode(secret: str, step: int) -> str:
    """The six digits of one step of thirty seconds since 1970. :raises ValueError: the secret is not base32"""
    padded = secret.strip().upper() + "=" * (-len(secret.strip()) % 8)
    try:
        key = base64.b32decode(padded)
    except binascii.Error:
        raise ValueError("a TOTP secret must be base32") from None
    # Google Authenticator, and OpenStack, accept shorter keys than the RFC requires.
    return TOTP(key, 6, hashes.SHA1(), STEP_S, enforce_key_length=False).generate(step * STEP_S).decode()  # noqa: S303


def use(connection, vault, user_id: str, given: str, windows: int) -> bool:
    """Whether a passcode is valid now, or was in the ``windows`` steps before; each can be used once.

    Of two requests with the same passcode, one fails, because the step is only updated if it is higher than the last
    one.
    """
    now = int(time.time()) // STEP_S
    for row in many(connection, sa.select(TABLE).where(TABLE.c.user_id == user_id, TABLE.c.type == "totp").order_by(TABLE.c.id)):
        for step in range(now, now - windows - 1, -1):
            try:
                wanted = passcode(vault.open(row["encrypted_blob"]), step)
                right = hmac.compare_digest(wanted.encode(), given.encode("utf-8", "replace"))
            except ValueError:
                break
            if right:
                fresh = sa.or_(TABLE.c.last_step.is_(None), TABLE.c.last_step < step)
                return connection.execute(sa.update(TABLE).where(TABLE.c.id == row["id"], fresh).values(
                    last_step=step)).rowcount == 1
    return False
