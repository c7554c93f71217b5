"""The columns that lists are filtered by."""

import sqlalchemy as sa

from common import rows


def comparable(table: rows.Table, name: str) -> sa.Column | None:
    """The column of this name, if rows can be filtered and sorted by it."""
    column = table.c.get(name)
    return None if column is None or isinstance(column.type, (sa.JSON, sa.DateTime)) else column


def kind(column: sa.Column) -> type:
    """bool, int or str"""
    return bool if isinstance(column.type, sa.Boolean) else int if isinstance(column.type, sa.Integer) else str


def among(column: sa.Column, values: list, *, or_null: bool):
    """The WHERE of the rows with one of these values."""
    return sa.or_(column.in_(values), column.is_(None)) if or_null else column.in_(values)
