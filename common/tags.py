"""Filters by tags, the same in every API: the column is a JSON list as text, so that every database can look into it."""

import json

import sqlalchemy as sa

FILTERS = ("tags", "tags-any", "not-tags", "not-tags-any")


def condition(column, name: str, values: list[str]):
    """The WHERE of one of FILTERS; values are lists divided by commas."""
    text = sa.func.coalesce(sa.cast(column, sa.Text), "[]")
    wanted = [text.contains(json.dumps(tag), autoescape=True) for value in values for tag in value.split(",")]
    found = sa.or_(*wanted) if name.endswith("any") else sa.and_(*wanted)
    return sa.not_(found) if name.startswith("not-") else found
