"""Filters by tags, the same in every API. The column is a JSON list stored as text, which every database can search."""

import json

import sqlalchemy as sa
from sqlalchemy.ext import compiler
from sqlalchemy.sql import functions

from common import errors

MAX_FILTER_TAGS = 128
FILTERS = ("tags", "tags-any", "not-tags", "not-tags-any")


class contains(functions.FunctionElement):
    """Exact substring search: LIKE ignores case on SQLite and MariaDB."""

    type, inherit_cache = sa.Boolean(), True


@compiler.compiles(contains)
def _strpos(element, compiler, **more):
    return f"(strpos({compiler.process(element.clauses, **more)}) > 0)"


@compiler.compiles(contains, "sqlite")
def _instr(element, compiler, **more):
    return f"(instr({compiler.process(element.clauses, **more)}) > 0)"


@compiler.compiles(contains, "mysql")
@compiler.compiles(contains, "mariadb")
def _binary(element, compiler, **more):
    text, part = (compiler.process(clause, **more) for clause in element.clauses)
    return f"(instr(CAST({text} AS BINARY), CAST({part} AS BINARY)) > 0)"


def has(column, tag: str):
    """The WHERE of rows with a tag."""
    # Each tag is preceded by ", " and a quote; quotes within tags are escaped.
    text = sa.literal(", ") + sa.func.substr(sa.func.coalesce(sa.cast(column, sa.Text), "[]"), 2)
    return contains(text, sa.literal(f", {json.dumps(tag)}"))


def condition(column, name: str, values: list[str]):
    """The WHERE of one of FILTERS; values are comma-separated lists."""
    wanted_tags = [tag for value in values for tag in value.split(",")]
    if len(wanted_tags) > MAX_FILTER_TAGS:
        raise errors.BadRequest(f"At most {MAX_FILTER_TAGS} tags can be filtered by, not {len(wanted_tags)}.")
    wanted = [has(column, tag) for tag in wanted_tags]
    found = sa.or_(*wanted) if name.endswith("any") else sa.and_(*wanted)
    return sa.not_(found) if name.startswith("not-") else found
