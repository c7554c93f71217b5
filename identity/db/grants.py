"""Role assignments of users and of their groups, and what they imply."""

import sqlalchemy as sa

from common.db import many
from identity.db import models

USERS, GROUPS = models.assignments, models.group_assignments
ROLES, IMPLIED, MEMBERS = models.roles, models.implied_roles, models.memberships


def holder_table(key: dict):
    """The table of a key {"user_id" or "group_id", "target_type", "target_id", "role_id"}."""
    return GROUPS if "group_id" in key else USERS


def roles_on(connection, user_id: str, target_type: str, target_id: str) -> list[dict]:
    """[{"id", "name"}] that a user has on a target, through groups and implication too, by name."""
    own = sa.select(USERS.c.role_id).where(
        USERS.c.user_id == user_id, USERS.c.target_type == target_type, USERS.c.target_id == target_id)
    through = sa.select(GROUPS.c.role_id).join(MEMBERS, MEMBERS.c.group_id == GROUPS.c.group_id).where(
        MEMBERS.c.user_id == user_id, GROUPS.c.target_type == target_type, GROUPS.c.target_id == target_id)
    return implied(connection, many(connection, sa.select(ROLES.c.id, ROLES.c.name).where(
        ROLES.c.id.in_(own.union(through)))))


def implied(connection, direct: list[dict]) -> list[dict]:
    """Roles [{"id", "name"}] with those that they imply, by name."""
    if not direct:
        return []
    found = {r["id"]: r["name"] for r in direct}
    edges = many(connection, sa.select(IMPLIED.c.prior_role_id, ROLES.c.id, ROLES.c.name)
                 .join(ROLES, ROLES.c.id == IMPLIED.c.implied_role_id))
    grew = True
    while grew:
        more = {e["id"]: e["name"] for e in edges if e["prior_role_id"] in found and e["id"] not in found}
        found.update(more)
        grew = bool(more)
    return [{"id": i, "name": n} for i, n in sorted(found.items(), key=lambda r: r[1])]


def add(connection, **key) -> None:
    table = holder_table(key)
    if not connection.execute(sa.select(table.c.role_id).filter_by(**key)).first():
        connection.execute(sa.insert(table).values(**key))


def remove(connection, **key) -> bool:
    return connection.execute(sa.delete(holder_table(key)).filter_by(**key)).rowcount > 0


def forget_target(connection, target_ids) -> None:
    """Drop every assignment on targets that go. ``target_ids`` is a SELECT or a list."""
    for table in (USERS, GROUPS):
        connection.execute(sa.delete(table).where(table.c.target_id.in_(target_ids)))


def targets_of(connection, user_id: str, target_type: str) -> list[str]:
    own = sa.select(USERS.c.target_id).where(USERS.c.user_id == user_id, USERS.c.target_type == target_type)
    through = sa.select(GROUPS.c.target_id).join(MEMBERS, MEMBERS.c.group_id == GROUPS.c.group_id).where(
        MEMBERS.c.user_id == user_id, GROUPS.c.target_type == target_type)
    return list(connection.execute(own.union(through)).scalars())


def members(connection, group_id: str) -> list[str]:
    return list(connection.execute(sa.select(MEMBERS.c.user_id).where(MEMBERS.c.group_id == group_id)).scalars())


def holders(connection, role_id: str) -> set[str]:
    """The users who have a role assigned, themselves or through a group."""
    own = sa.select(USERS.c.user_id).where(USERS.c.role_id == role_id)
    through = sa.select(MEMBERS.c.user_id).join(GROUPS, GROUPS.c.group_id == MEMBERS.c.group_id).where(
        GROUPS.c.role_id == role_id)
    return set(connection.execute(own.union(through)).scalars())
