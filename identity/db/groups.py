"""Groups and their members."""

import sqlalchemy as sa

from common import rows
from identity.db import models

TABLE, USERS, MEMBERS = models.groups, models.users, models.memberships


def members(connection, group_id: str, *conditions) -> list[dict]:
    """The users in a group."""
    return rows.select(connection, USERS, USERS.c.id.in_(
        sa.select(MEMBERS.c.user_id).where(MEMBERS.c.group_id == group_id)), *conditions)


def of_user(connection, user_id: str, *conditions) -> list[dict]:
    """The groups that a user is in."""
    return rows.select(connection, TABLE, TABLE.c.id.in_(
        sa.select(MEMBERS.c.group_id).where(MEMBERS.c.user_id == user_id)), *conditions)
