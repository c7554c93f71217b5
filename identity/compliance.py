"""Rules for passwords and logins: the group ``security_compliance``, with OpenStack's names and meanings.

Each is in force only if its option is set. A user's ``options`` may exempt the user from some of them.
"""

import json
import re
import time

import sqlalchemy as sa

from common import errors, schema
from common.db import many
from identity.db import models

USERS, OLD = models.users, models.old_passwords
DAY_S = 86400
_FLAG = {"type": ["boolean", "null"]}
OPTIONS = schema.obj({name: _FLAG for name in (
    "ignore_change_password_upon_first_use", "ignore_password_expiry", "ignore_lockout_failure_attempts",
    "ignore_user_inactivity", "lock_password", "multi_factor_auth_enabled")} | {
    "multi_factor_auth_rules": {"type": ["array", "null"], "maxItems": 32, "items": {
        "type": "array", "minItems": 1, "uniqueItems": True, "items": {"type": "string", "maxLength": 64}}}})


def options_of(user: dict) -> dict:
    return json.loads(user["options"] or "{}")


class Compliance:
    """:param passwords: identity.passwords.Passwords"""

    def __init__(self, conf, passwords):
        self.conf, self.passwords = conf.security_compliance, passwords
        self.expires_passwords = bool(self.conf.password_expires_days or self.conf.change_password_upon_first_use)

    # Logins -----------------------------------------------------------------

    def locked(self, user: dict) -> bool:
        """Whether the account is locked after too many wrong passwords."""
        most = self.conf.lockout_failure_attempts
        if not most or options_of(user).get("ignore_lockout_failure_attempts") or user["failed_logins"] < most:
            return False
        return time.time() - (user["failed_at"] or 0) < self.conf.lockout_duration

    def failed(self, connection, user: dict) -> None:
        """Count a wrong password. The count starts again after a lock has ended."""
        if self.conf.lockout_failure_attempts:
            over = user["failed_at"] is not None and time.time() - user["failed_at"] >= self.conf.lockout_duration
            connection.execute(sa.update(USERS).where(USERS.c.id == user["id"]).values(
                failed_logins=1 if over else USERS.c.failed_logins + 1, failed_at=time.time()))

    def admit(self, user: dict) -> dict:
        """The final checks of a login with a correct password; returns the columns that it changes.

        :raises Unauthorized: the password has expired, or the account has been inactive for too long
        """
        expires, options, now = user["password_expires_at"], options_of(user), time.time()
        if expires is not None and expires <= now and not options.get("ignore_password_expiry"):
            raise errors.Unauthorized(f"The password is expired and needs to be changed for user: {user['id']}.")
        most = self.conf.disable_user_account_days_inactive
        if most and user["last_active_at"] and now - user["last_active_at"] > most * DAY_S and \
                not options.get("ignore_user_inactivity"):
            raise errors.Unauthorized()
        # A day's precision is sufficient, and most logins then need no write.
        slept = most and now - (user["last_active_at"] or 0) > DAY_S
        return {**({"failed_logins": 0, "failed_at": None} if user["failed_logins"] else {}),
                **({"last_active_at": now} if slept else {})}

    # Passwords --------------------------------------------------------------

    def check(self, password: str) -> None:
        """:raises BadRequest: it does not match password_regex"""
        expression = self.conf.password_regex
        if expression and not re.match(expression, password):
            raise errors.BadRequest(f"The password does not match the requirements: {self.conf.password_regex_description}.")

    def used(self, connection, user: dict) -> list[str]:
        """The hashes that a new password of the user is compared with."""
        count = self.conf.unique_last_password_count
        old = many(connection, sa.select(OLD.c.password_hash).where(OLD.c.user_id == user["id"]).order_by(
            OLD.c.id.desc()).limit(count - 1)) if count > 1 else []
        return [user["password_hash"], *(r["password_hash"] for r in old)] if count else []

    def check_own_change(self, user: dict, password: str, used: list[str]) -> None:
        """Checks for users who change their own password; administrators are exempt. Takes a hash for each of
        ``used``.

        :raises BadRequest: too early, or a password that was used lately
        :raises Forbidden: the user may not change the password
        """
        if options_of(user).get("lock_password"):
            raise errors.Forbidden("The password of this user is locked.")
        youngest = (user["password_created_at"] or 0) + self.conf.minimum_password_age * DAY_S
        if self.conf.minimum_password_age and time.time() < youngest:
            raise errors.BadRequest(f"Cannot change password before minimum age of {self.conf.minimum_password_age} days is met.")
        if any(self.passwords.matches(password, h) for h in used):
            raise errors.BadRequest("The new password cannot be identical to a previous password. The total number which "
                                    f"includes the new password must be unique is {self.conf.unique_last_password_count}.")

    def columns(self, user: dict, hashed: str, *, by_admin: bool) -> dict:
        """The columns of a new password."""
        now, days = time.time(), self.conf.password_expires_days
        expires = now + days * DAY_S if days else None
        if by_admin and self.conf.change_password_upon_first_use and \
                not options_of(user).get("ignore_change_password_upon_first_use"):
            expires = now
        return {"password_hash": hashed, "password_created_at": now, "password_expires_at": expires, "failed_logins": 0,
                "failed_at": None}

    def remember(self, connection, user: dict) -> None:
        """Store the hash of a password that is being replaced, as long as new passwords are compared with it."""
        count = self.conf.unique_last_password_count
        if count > 1 and user["password_hash"]:
            connection.execute(sa.insert(OLD).values(user_id=user["id"], password_hash=user["password_hash"]))
            ids = connection.execute(sa.select(OLD.c.id).where(OLD.c.user_id == user["id"]).order_by(OLD.c.id.desc())).scalars()
            connection.execute(sa.delete(OLD).where(OLD.c.id.in_(list(ids)[count - 1:])))
