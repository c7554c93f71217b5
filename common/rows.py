"""Plain row operations that every service's query modules are made of."""

import sqlalchemy as sa

from common import errors
from common.db import many, one


def exact(row: dict | None, row_id, key: str = "id") -> dict | None:
    """The row, if its id is as it was asked for. MariaDB's usual collations find it in another case too, and with spaces at
    its end; hosts and other services do not."""
    return row if row is not None and row[key] == row_id else None


def get(connection, table, row_id, *, resource: str, key: str = "id", **where) -> dict:
    """One row as a dict.

    :raises NotFound: there is none, or its other columns differ from ``where``
    """
    query = sa.select(table).where(table.c[key] == row_id, *[table.c[k] == v for k, v in where.items()])
    row = exact(one(connection, query), row_id, key)
    if row is None:
        raise errors.NotFound(resource=resource, id=row_id)
    return row


def insert(connection, table, values: dict, *, conflict: str | None = None) -> dict:
    """Insert a row; ``conflict`` is the public text when a unique constraint refuses it.

    :raises Conflict: such a row exists. Without a text nothing in it was a caller's choice, and the unit begins anew.
    """
    try:
        connection.execute(sa.insert(table).values(values))
    except sa.exc.IntegrityError as error:
        if conflict is None:  # nothing that a caller chose: the unit finds out anew what there is
            raise
        raise errors.Conflict(conflict, internal=str(error)) from error
    return values


def update(connection, table, row_id, values: dict, *, resource: str, key: str = "id",
           conflict: str | None = None) -> None:
    """Update one row.

    :raises NotFound: there is none
    :raises Conflict: a unique constraint refuses the values
    """
    if not values:
        return
    try:
        done = connection.execute(sa.update(table).where(table.c[key] == row_id).values(values))
    except sa.exc.IntegrityError as error:
        if conflict is None:
            raise
        raise errors.Conflict(conflict, internal=str(error)) from error
    # MySQL counts changed rows through pymysql's FOUND_ROWS flag, so 0 means absent everywhere.
    if done.rowcount == 0:
        raise errors.NotFound(resource=resource, id=row_id)


def delete(connection, table, row_id, *, resource: str, key: str = "id") -> None:
    """:raises NotFound: there is no such row"""
    if connection.execute(sa.delete(table).where(table.c[key] == row_id)).rowcount == 0:
        raise errors.NotFound(resource=resource, id=row_id)


def where_equal(query, table, filters: dict):
    """Add ``column = value`` for each filter that names a column."""
    for name, value in filters.items():
        if name in table.c:
            column = table.c[name]
            query = query.where(column.in_(value) if isinstance(value, (list, tuple, set)) else column == value)
    return query


__all__ = ["delete", "get", "insert", "many", "one", "update", "where_equal"]
