"""Lists of simple resources, and filters by a part of a text such as ``name__icontains``."""

import typing

import sqlalchemy as sa

from common import rows

_TESTS = {"contains": str.__contains__, "startswith": str.startswith, "endswith": str.endswith}


class Partial(typing.NamedTuple):
    """A filter by a part of a column's text. Databases compare case differently: ``condition`` selects all rows that
    may match in any of them, and ``matches`` decides."""

    column: str
    operator: str
    text: str
    ignore_case: bool

    def condition(self, table: rows.Table):
        return getattr(table.c[self.column], f"i{self.operator}")(self.text, autoescape=True)

    def matches(self, row: dict) -> bool:
        text, part = row[self.column] or "", self.text
        if self.ignore_case:
            text, part = text.casefold(), part.casefold()
        return _TESTS[self.operator](text, part)


def partials(table: rows.Table, columns: tuple[str, ...], query: typing.Mapping[str, list[str]]) -> list[Partial]:
    """The partial filters in a query string; other parameters are ignored."""
    found = []
    for name, text in ((n, v) for n, values in query.items() for v in values):
        column, _, operator = name.partition("__")
        known = column in columns and operator.removeprefix("i") in _TESTS
        if known and isinstance(table.c[column].type, sa.String):
            found.append(Partial(column, operator.removeprefix("i"), text, operator.startswith("i")))
    return found


def listed(connection, table: rows.Table, wanted: dict, partial: list[Partial], *conditions) -> list[dict]:
    """:param wanted: {column: value}"""
    found = rows.select(connection, table, *conditions, *(p.condition(table) for p in partial), **wanted)
    return [r for r in found if all(p.matches(r) for p in partial)]


def in_domain(table: rows.Table, domain_id: str):
    """The WHERE of the rows in a domain; for the table of domains, the domain itself."""
    return (table.c.domain_id if "domain_id" in table.c else table.c.id) == domain_id
