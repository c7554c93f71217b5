"""JSON as responses have it, and rows as query modules return them."""

import json

import pytest
import sqlalchemy as sa

from common import db, wsgi
from common.db import Database

TABLE = sa.Table("things", sa.MetaData(), sa.Column("id", sa.Integer, primary_key=True), sa.Column("facts", sa.JSON))
FACTS = {"name": "Ünï\U0001f642", "large": 2 ** 62, "share": 0.25, "none": None, "list": [True, [], {}]}


@pytest.fixture
def connection(tmp_path):
    database = Database("test", f"sqlite:///{tmp_path}/test.sqlite")
    TABLE.metadata.create_all(database.engine)
    with database.writer() as connection:
        connection.execute(sa.insert(TABLE), [{"id": 1, "facts": FACTS}, {"id": 2, "facts": FACTS}])
        yield connection
    database.engine.dispose()


def test_rows_have_plain_keys_and_values(connection):
    query = sa.select(TABLE).order_by(TABLE.c.id)
    assert db.many(connection, query) == [{"id": 1, "facts": FACTS}, {"id": 2, "facts": FACTS}]
    assert db.one(connection, query) == {"id": 1, "facts": FACTS}
    assert db.one(connection, query.where(TABLE.c.id > 2)) is None
    for row in (*db.many(connection, query), db.one(connection, query)):
        assert {type(key) for key in row} == {str}


@pytest.mark.parametrize("name", ["plain", FACTS["name"]])
def test_responses_are_ascii(name):
    body = {"facts": {**FACTS, "name": name}, "column": TABLE.c.id.name}
    response = wsgi.json_response(body, 202)
    assert response.status_int == 202 and response.headers["Content-Type"] == "application/json"
    assert response.body.isascii() and json.loads(response.body) == body


def test_what_is_not_json_is_refused():
    with pytest.raises(TypeError):
        wsgi.json_response({"of no kind": object()})
