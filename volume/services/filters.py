"""Filters of the lists of this API.

As in Cinder, an unknown filter is an error for ordinary callers from version ``strict`` on; for administrators and services it
matches nothing.
"""

import ast
import dataclasses
import typing

from common import errors, rows, values, wsgi
from common.calls import Call

# Query parameters that are not filters.
_CONTROLS = {"limit", "marker", "offset", "sort", "sort_key", "sort_dir", "with_count", "all_tenants", "all_projects"}
_COMPARE = {"gt": "__gt__", "gte": "__ge__", "eq": "__eq__", "neq": "__ne__", "lt": "__lt__", "lte": "__le__"}
# The versions from which unknown filters are refused, and values match in part (``name~``).
STRICT, LIKE = (3, 31), (3, 34)


@dataclasses.dataclass(frozen=True)
class Filter:
    """``where``: (the filter's text, the call) -> the condition. Before version ``since`` the filter is ignored."""

    where: typing.Callable
    since: tuple[int, int] = (3, 0)
    like: typing.Any = None  # the column that ``name~`` searches
    trusted: bool = False  # only for callers who see the rows of every project


def text(column, *, trusted: bool = False) -> Filter:
    return Filter(lambda value, call: column == value, like=column, trusted=trusted)


def number(column) -> Filter:
    def where(value, call):
        try:
            return column == values.integer(value, "filter")
        except errors.BadRequest:
            return rows.NONE
    return Filter(where)


def truth(column) -> Filter:
    return Filter(lambda value, call: column == wsgi.bool_value(value))


def always(known: bool) -> Filter:
    """A filter by a value that is the same for all rows."""
    return Filter(lambda value, call: rows.ALL if wsgi.bool_value(value) is known else rows.NONE)


NEVER = Filter(lambda value, call: rows.NONE)  # by a value that no row has
ALL_CONSUME_QUOTA = dataclasses.replace(always(True), since=STRICT)


def moment(column) -> Filter:
    """A filter by a time, with comparisons: ``gt:2026-01-01,lt:…``."""
    def where(value, call):
        found = []
        for part in value.split(","):
            operator, _, time = part.partition(":") if part.split(":")[0] in _COMPARE else ("eq", "", part)
            found.append(getattr(column, _COMPARE[operator])(wsgi.moment(column.name, time)))
        return rows.all_of(*found)
    return Filter(where, since=STRICT)


def entries(column, *, since: tuple[int, int] = (3, 0), trusted: bool = False) -> Filter:
    """A filter by entries of a dictionary, written as a Python dictionary, as clients of this API do."""
    def where(value, call):
        return rows.all_of(*(column[key].as_string() == wanted for key, wanted in literal(column.name, value).items()))
    return Filter(where, since=since, trusted=trusted)


def literal(name: str, text: str) -> dict[str, str]:
    """The dictionary in a filter. :raises BadRequest: it is none, or has keys or values that cannot be stored as text"""
    try:
        value = ast.literal_eval(text)
        found = {str(key): str(wanted) for key, wanted in value.items()} if isinstance(value, dict) else None
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        found = None
    if found is None:
        raise errors.BadRequest(f"Invalid filter: {name} must be a dictionary.")
    return {values.text(key, name): values.text(wanted, name, longest=1024, lines=True) for key, wanted in found.items()}


def names(call: Call, known: dict[str, Filter]) -> list[str]:
    """The filters that a caller may use in the request's version."""
    usable = {name: entry for name, entry in known.items() if not entry.trusted and call.version >= entry.since}
    return sorted([*usable, *(f"{name}~" for name, entry in usable.items() if entry.like is not None and call.version >= LIKE)])


def conditions(call: Call, query: typing.Mapping[str, str], known: dict[str, Filter], *, strict: tuple[int, int] = STRICT
               ) -> list:
    """The WHERE of a request's filters.

    :param query: the parameters of the request
    :raises BadRequest: there is no such filter, or its value is invalid
    """
    asked = {name: value for name, value in query.items() if name not in _CONTROLS}
    if call.version >= strict and not all(name.isascii() for name in asked):
        raise errors.BadRequest("Filter keys can only contain ASCII characters.")
    found, unknown, trusted = [], [], call.svc.policy.sees_all_projects(call.ctx)
    for name, value in asked.items():
        entry = known.get(name.removesuffix("~"))
        like = entry.like if entry is not None and name.endswith("~") else None
        if entry is None or entry.trusted and not trusted or name.endswith("~") and (like is None or call.version < LIKE):
            unknown.append(name)
        elif like is not None:
            found.append(like.icontains(value, autoescape=True))
        elif call.version >= entry.since:
            found.append(entry.where(value, call))
    if unknown and trusted:
        found.append(rows.NONE)
    elif unknown and call.version >= strict:
        raise errors.BadRequest(f"Invalid filters {','.join(unknown)} are found in query options.")
    return found
