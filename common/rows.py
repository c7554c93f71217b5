"""Row operations used by the query modules of all services."""

import sqlalchemy as sa

from common import db, errors
from common.db import many, one

Table = sa.Table  # for modules that otherwise do not import SQLAlchemy
ALL, NONE = sa.true(), sa.false()  # conditions
any_of = sa.or_


def all_of(*conditions):
    return sa.and_(ALL, *conditions)


def is_json(column) -> bool:
    """Whether a column is JSON, by which rows cannot be compared or sorted."""
    return isinstance(column.type, sa.JSON)


def find(connection, table, row_id, *conditions, key: str = "id", **where) -> dict | None:
    """The row with this id, or None. In a write transaction it is locked until the end.

    :param conditions: further SQL conditions
    :param where: further conditions: {column: value, or a list of values}
    """
    row = first(connection, table, table.c[key] == row_id, *conditions, **where)
    # MariaDB's usual collations ignore case and trailing spaces. Other services do not.
    return row if row is not None and row[key] == row_id else None


def get(connection, table, row_id, *, resource: str, key: str = "id", **where) -> dict:
    """As ``find``. :raises NotFound: no such row"""
    row = find(connection, table, row_id, key=key, **where)
    if row is None:
        raise errors.NotFound(resource=resource, id=row_id)
    return row


def first(connection, table, *conditions, **where) -> dict | None:
    """A row that satisfies the conditions, or None; locked as by ``find``."""
    return one(connection, sa.select(table).where(*conditions, *_equal(table, where)))


def select(connection, table, *conditions, order_by: str = "id", limit: int | None = None, **where) -> list[dict]:
    """The rows that satisfy the conditions, ordered by a column. Not locked."""
    query = sa.select(table).where(*conditions, *_equal(table, where)).order_by(table.c[order_by])
    return many(connection, query.limit(limit))


def page(connection, table, *conditions, sort: list[tuple[str, str]], limit: int, marker_row: dict | None,
         offset: int | None = None, unique: str = "id") -> list[dict]:
    """A page of the rows that satisfy the conditions; parameters as in ``common.db.page``."""
    query = db.page(sa.select(table).where(*conditions), table, sort=sort, limit=limit, marker_row=marker_row,
                    unique=unique)
    return many(connection, query.offset(offset or None))


def count(connection, table, *conditions) -> int:
    return connection.execute(sa.select(sa.func.count()).select_from(table).where(*conditions)).scalar() or 0


def exists(connection, table, *conditions, **where) -> bool:
    """Whether any row satisfies the conditions."""
    query = sa.select(sa.literal(1)).select_from(table).where(*conditions, *_equal(table, where)).limit(1)
    return connection.execute(query).first() is not None


def _equal(table, values: dict) -> list:
    """The conditions ``column = value``, or ``column IN value`` for a list, a tuple or a set."""
    return [table.c[name].in_(value) if isinstance(value, (list, tuple, set)) else table.c[name] == value
            for name, value in values.items()]


def insert(connection, table, values: dict, *, conflict: str | None = None) -> dict:
    """Insert a row; ``conflict`` is the public text if a unique constraint fails.

    :raises Conflict: such a row exists. Without a text, the caller chose no value of it, and the unit of work is retried.
    """
    try:
        connection.execute(sa.insert(table).values(values))
    except sa.exc.IntegrityError as error:
        if conflict is None:  # no value was chosen by the caller: the retried unit chooses again
            raise
        raise errors.Conflict(conflict, internal=str(error)) from error
    return values


def update(connection, table, row_id, values: dict, *, resource: str, key: str = "id", conflict: str | None = None,
           **where) -> None:
    """Update one row, of which ``where`` is true too.

    :raises NotFound: there is none
    :raises Conflict: a unique constraint refuses the values
    """
    if not values:
        return
    try:
        done = connection.execute(sa.update(table).where(*_equal(table, {key: row_id, **where})).values(values))
    except sa.exc.IntegrityError as error:
        if conflict is None:
            raise
        raise errors.Conflict(conflict, internal=str(error)) from error
    # pymysql sets the FOUND_ROWS flag, so MySQL also counts unchanged rows: 0 means that the row does not exist.
    if done.rowcount == 0:
        raise errors.NotFound(resource=resource, id=row_id)


def change(connection, table, row: dict, values: dict, *, resource: str, key: str = "id") -> dict:
    """Write the values that differ from the row, and ``updated_at``; nothing if none differs.

    Repeating a request with the same values is not a change.

    :returns: the updated row
    :raises NotFound: it does not exist any more
    """
    changed = {name: value for name, value in values.items() if row[name] != value}
    if changed:
        changed["updated_at"] = db.now()
        update(connection, table, row[key], changed, resource=resource, key=key)
    return {**row, **changed}


def delete(connection, table, row_id, *, resource: str, key: str = "id") -> None:
    """:raises NotFound: no such row"""
    if not delete_where(connection, table, **{key: row_id}):
        raise errors.NotFound(resource=resource, id=row_id)


def delete_where(connection, table, *conditions, **where) -> int:
    """Delete the rows that satisfy the conditions; returns their number."""
    return connection.execute(sa.delete(table).where(*conditions, *_equal(table, where))).rowcount


def update_where(connection, table, values: dict, **where) -> int:
    """Update the rows with these values; returns their number."""
    return connection.execute(sa.update(table).where(*_equal(table, where)).values(values)).rowcount


def where_equal(query, table, filters: dict):
    """Add ``column = value`` for each filter that is a column."""
    return query.where(*_equal(table, {name: value for name, value in filters.items() if name in table.c}))


__all__ = ["ALL", "NONE", "Table", "all_of", "any_of", "change", "count", "delete", "delete_where", "exists", "find", "first",
           "get", "insert", "is_json", "many", "one", "page", "select", "update", "update_where", "where_equal"]
