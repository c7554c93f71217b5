"""Filters by tags, the same in every API: the column is a JSON list as text, so that every database can look into it."""

import json

import sqlalchemy as sa

from common import errors

MOST = 128
FILTERS = ("tags", "tags-any", "not-tags", "not-tags-any")


def condition(column, name: str, values: list[str]):
    """The WHERE of one of FILTERS; values are lists divided by commas."""
    wanted_tags = [tag for value in values for tag in value.split(",")]
    if len(wanted_tags) > MOST:
        raise errors.BadRequest(f"At most {MOST} tags can be filtered by, not {len(wanted_tags)}.")
    text = sa.func.coalesce(sa.cast(column, sa.Text), "[]")
    wanted = [text.contains(json.dumps(tag), autoescape=True) for tag in wanted_tags]
    found = sa.or_(*wanted) if name.endswith("any") else sa.and_(*wanted)
    return sa.not_(found) if name.startswith("not-") else found
