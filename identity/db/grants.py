"""Role assignments and what they imply."""

import sqlalchemy as sa

from common.db import many
from identity.db import models

GRANTS, ROLES, IMPLIED = models.assignments, models.roles, models.implied_roles


def roles_on(connection, user_id: str, target_type: str, target_id: str) -> list[dict]:
    """[{"id", "name"}] that a user has on a target, implied ones with them, by name."""
    direct = many(connection, sa.select(ROLES.c.id, ROLES.c.name).join(GRANTS, GRANTS.c.role_id == ROLES.c.id).where(
        GRANTS.c.user_id == user_id, GRANTS.c.target_type == target_type, GRANTS.c.target_id == target_id))
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
    exists = connection.execute(sa.select(GRANTS.c.role_id).filter_by(**key)).first()
    if not exists:
        connection.execute(sa.insert(GRANTS).values(**key))


def remove(connection, **key) -> bool:
    return connection.execute(sa.delete(GRANTS).filter_by(**key)).rowcount > 0


def targets_of(connection, user_id: str, target_type: str) -> list[str]:
    return list(connection.execute(sa.select(GRANTS.c.target_id).distinct().where(
        GRANTS.c.user_id == user_id, GRANTS.c.target_type == target_type)).scalars())
