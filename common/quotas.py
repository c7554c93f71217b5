"""Quotas of projects: the limits in a service's table, and a lock for counting.

Use is counted from the resources themselves, in the transaction that adds one, after ``lock_owner``: whoever else adds to the
same project waits until then, whatever the database.
"""

import sqlalchemy as sa

from common import db


def lock_owner(connection, owner_id: str) -> None:
    """:param owner_id: a project, or a user where the quota is per user"""
    db.lock(connection, f"quota:{owner_id}")


def limits(connection, table: sa.Table, project_id: str, defaults: dict) -> dict:
    """{resource: limit}, -1 for unlimited."""
    own = dict(connection.execute(sa.select(table.c.resource, table.c["limit"])
                                  .where(table.c.project_id == project_id)).all())
    return {resource: own.get(resource, most) for resource, most in defaults.items()}


def store(connection, table: sa.Table, project_id: str, values: dict) -> None:
    """Set limits of a project; the others stay."""
    lock_owner(connection, project_id)
    for resource, most in values.items():
        connection.execute(sa.delete(table).where(table.c.project_id == project_id, table.c.resource == resource))
        connection.execute(sa.insert(table).values(project_id=project_id, resource=resource, limit=most))


def reset(connection, table: sa.Table, project_id: str) -> None:
    """Give a project the defaults again."""
    lock_owner(connection, project_id)
    connection.execute(sa.delete(table).where(table.c.project_id == project_id))
