"""Regular expressions that clients write: matched in time linear in the text, whatever they are."""

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
    """:raises BadRequest: it is no regular expression, or one that needs more than matching goes through the text once"""
    try:
        if len(pattern) > MAX_LENGTH:
            raise re2.error("it is too long")
        _compiled(pattern)
    except (re2.error, UnicodeEncodeError) as error:
        raise errors.BadRequest(f"Invalid filter {what}: this regular expression cannot be used: {error.args[0]}.") from None


def found(pattern: str, text: str | None) -> bool:
    """Whether the pattern is somewhere in the text."""
    return text is not None and _compiled(pattern).search(text) is not None


def condition(connection, column, pattern: str, scope: list, what: str):
    """The WHERE of rows whose column has the pattern in it.

    SQLite calls ``found`` (``common.db`` gives it that function). The engines of the others backtrack, or read patterns
    otherwise: there the values within ``scope`` are read and matched here.

    :raises BadRequest: as ``check``
    """
    check(pattern, what)
    if connection.dialect.name == "sqlite":
        return column.regexp_match(pattern)
    return column.in_([v for v in connection.execute(sa.select(column).where(*scope).distinct()).scalars() if found(pattern, v)])
