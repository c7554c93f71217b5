"""Filters by tags find the same rows on every database: those that have exactly this tag."""

import json

import pytest
import sqlalchemy as sa

from common import tags
from tests import databases

THINGS = sa.Table("things", sa.MetaData(), sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
                  sa.Column("tags", sa.Text))
ROWS = (["Blue"], ["blue"], ["BLUE", "red"], ["blue-green"], ['x", "blue'], ["café"], ["cafe"], ["100%"], ["100x"], [], None)


@pytest.fixture(scope="module", params=["SQLite", "MariaDB", "PostgreSQL"])
def connection(request):
    server = None if request.param == "SQLite" else getattr(databases, request.param)()
    if server:
        server.make()
    engine = sa.create_engine(f"{server.url}network" if server else "sqlite://")
    THINGS.create(engine)
    with engine.connect() as made:
        made.execute(sa.insert(THINGS), [{"id": i, "tags": r if r is None else json.dumps(r)} for i, r in enumerate(ROWS)])
        yield made
    engine.dispose()
    if server:
        server.stop()


@pytest.mark.parametrize(("name", "value", "found"), [
    ("tags", "Blue", [["Blue"]]), ("tags", "blue", [["blue"]]), ("tags", "red,BLUE", [["BLUE", "red"]]), ("tags", "re", []),
    ("tags", "café", [["café"]]), ("tags", "cafe", [["cafe"]]), ("tags", "100%", [["100%"]]), ("tags", "red,blue", []),
    ("tags-any", "Blue,blue", [["Blue"], ["blue"]]),
    ("not-tags", "Blue", [r for r in ROWS if r != ["Blue"]]), ("not-tags", "BLUE,blue", list(ROWS)),
    ("not-tags-any", "Blue,blue,BLUE,café", [r for r in ROWS if r not in (["Blue"], ["blue"], ["BLUE", "red"], ["café"])])])
def test_only_the_very_tag_is_found(connection, name, value, found):
    query = sa.select(THINGS.c.id).where(tags.condition(THINGS.c.tags, name, [value])).order_by(THINGS.c.id)
    assert [ROWS[i] for i in connection.execute(query).scalars()] == found
