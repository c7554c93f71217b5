"""Regular expressions written by clients: matched in linear time."""

import functools

import re2
import sqlalchemy as sa

from common import errors

MAX_LENGTH = 255
_OPTIONS = re2.Options()
_OPTIONS.max_mem = 1 << 20
_OPTIONS.log_errors = False


@functools.lru_cache(maxsize=64)
def _compiled(pattern: str):
    return re2.compile(pattern, _OPTIONS)


def check(pattern: str, what: str) -> None:
    """:raises BadRequest: not a valid regular expression, or one that cannot be matched in linear time"""
    try:
        if len(pattern) > MAX_LENGTH:
            raise re2.error("the pattern is too long")
        _compiled(pattern)
    except (re2.error, UnicodeEncodeError) as error:
        raise errors.BadRequest(f"Invalid filter {what}: this regular expression cannot be used: {error.args[0]}.") from None


def found(pattern: str, text: str | None) -> bool:
    """Whether the pattern matches anywhere in the text."""
    return text is not None and _compiled(pattern).search(text) is not None


def condition(connection, column, pattern: str, scope: list, what: str):
    """The WHERE of rows whose column matches the pattern.

    SQLite calls ``found`` (registered by ``common.db``). The regex engines of the other databases backtrack or differ in syntax,
    so the values within ``scope`` are read and matched here.

    :raises BadRequest: as ``check``
    """
    check(pattern, what)
    if connection.dialect.name == "sqlite":
        return column.regexp_match(pattern)
    return column.in_([v for v in connection.execute(sa.select(column).where(*scope).distinct()).scalars() if found(pattern, v)])
