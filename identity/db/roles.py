"""Roles, and which role implies which."""

import sqlalchemy as sa

from common import context, rows
from identity.db import models

TABLE, IMPLIED = models.roles, models.implied_roles


def named(connection, ids) -> list[dict]:
    """The roles with these ids, by name."""
    return rows.select(connection, TABLE, order_by="name", id=set(ids))


def implications(connection, prior_role_id: str | None = None) -> list[dict]:
    """The roles that roles, or one, imply directly, each with its ``prior_role_id``."""
    query = sa.select(IMPLIED.c.prior_role_id, TABLE).join(TABLE, TABLE.c.id == IMPLIED.c.implied_role_id)
    return rows.many(connection, query.where(IMPLIED.c.prior_role_id == prior_role_id) if prior_role_id else query)


def ensure(connection, name: str) -> str:
    """The id of the global role with this name, which is created if there is none."""
    key = {"name": name, "domain_id": ""}
    found = connection.execute(sa.select(TABLE.c.id).filter_by(**key)).scalar()
    return found or rows.insert(connection, TABLE, {"id": context.new_hex(), **key})["id"]
