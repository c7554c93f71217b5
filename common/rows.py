"""Plain row operations that every service's query modules are made of."""

import sqlalchemy as sa

from common import db, errors
from common.db import many, one

Table = sa.Table  # for modules that name the table of a resource and otherwise use only the functions below
ALL, NONE = sa.true(), sa.false()  # conditions
any_of = sa.or_


def all_of(*conditions):
    return sa.and_(ALL, *conditions)


def is_json(column) -> bool:
    """Whether a column holds JSON, by which rows cannot be compared or sorted."""
    return isinstance(column.type, sa.JSON)


def find(connection, table, row_id, *conditions, key: str = "id", **where) -> dict | None:
    """The row with this id, or None. In a write transaction it is locked until that ends.

    :param conditions: what else must be true of it, as SQL expressions
    :param where: what else must be true of it: {column: value, or a list of values}
    """
    row = first(connection, table, table.c[key] == row_id, *conditions, **where)
    # MariaDB's usual collations also match an id in another case, or with spaces at its end. Other services do not.
    return row if row is not None and row[key] == row_id else None


def get(connection, table, row_id, *, resource: str, key: str = "id", **where) -> dict:
    """As ``find``. :raises NotFound: there is no such row"""
    row = find(connection, table, row_id, key=key, **where)
    if row is None:
        raise errors.NotFound(resource=resource, id=row_id)
    return row


def first(connection, table, *conditions, **where) -> dict | None:
    """A row of which these things are true, or None; locked as by ``find``."""
    return one(connection, sa.select(table).where(*conditions, *_equal(table, where)))


def select(connection, table, *conditions, order_by: str = "id", limit: int | None = None, **where) -> list[dict]:
    """The rows of which these things are true, in the order of a column. They are not locked."""
    query = sa.select(table).where(*conditions, *_equal(table, where)).order_by(table.c[order_by])
    return many(connection, query.limit(limit))


def page(connection, table, *conditions, sort: list[tuple[str, str]], limit: int, marker_row: dict | None,
         offset: int | None = None, unique: str = "id") -> list[dict]:
    """A page of the rows of which these things are true; the parameters are those of ``common.db.page``."""
    query = db.page(sa.select(table).where(*conditions), table, sort=sort, limit=limit, marker_row=marker_row,
                    unique=unique)
    return many(connection, query.offset(offset or None))


def count(connection, table, *conditions) -> int:
    return connection.execute(sa.select(sa.func.count()).select_from(table).where(*conditions)).scalar() or 0


def exists(connection, table, *conditions, **where) -> bool:
    """Whether these things are true of any row."""
    query = sa.select(sa.literal(1)).select_from(table).where(*conditions, *_equal(table, where)).limit(1)
    return connection.execute(query).first() is not None


def _equal(table, values: dict) -> list:
    """The conditions ``column = value``, or ``column IN value`` for a list, a tuple or a set."""
    return [table.c[name].in_(value) if isinstance(value, (list, tuple, set)) else table.c[name] == value
            for name, value in values.items()]


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
    # MySQL counts changed rows through pymysql's FOUND_ROWS flag, so 0 means absent everywhere.
    if done.rowcount == 0:
        raise errors.NotFound(resource=resource, id=row_id)


def change(connection, table, row: dict, values: dict, *, resource: str, key: str = "id") -> dict:
    """Write the values that differ from the row, and the time of the change; nothing if none differs.

    Clients that are run again send the same values again; that must not count as a change.

    :returns: the row as it is now
    :raises NotFound: it is gone
    """
    changed = {name: value for name, value in values.items() if row[name] != value}
    if changed:
        changed["updated_at"] = db.now()
        update(connection, table, row[key], changed, resource=resource, key=key)
    return {**row, **changed}


def delete(connection, table, row_id, *, resource: str, key: str = "id") -> None:
    """:raises NotFound: there is no such row"""
    if not delete_where(connection, table, **{key: row_id}):
        raise errors.NotFound(resource=resource, id=row_id)


def delete_where(connection, table, **where) -> int:
    """Delete the rows that have these values; returns how many there were."""
    return connection.execute(sa.delete(table).where(*_equal(table, where))).rowcount


def update_where(connection, table, values: dict, **where) -> int:
    """Update the rows that have these values; returns how many there were."""
    return connection.execute(sa.update(table).where(*_equal(table, where)).values(values)).rowcount


def where_equal(query, table, filters: dict):
    """Add ``column = value`` for each filter that names a column."""
    return query.where(*_equal(table, {name: value for name, value in filters.items() if name in table.c}))


__all__ = ["ALL", "NONE", "Table", "all_of", "any_of", "change", "count", "delete", "delete_where", "exists", "find", "first",
           "get", "insert", "is_json", "many", "one", "page", "select", "update", "update_where", "where_equal"]
