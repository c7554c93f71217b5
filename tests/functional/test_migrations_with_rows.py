"""Each revision of each service meets rows: on SQLite, MariaDB and PostgreSQL nothing is lost on the way to the newest."""

import datetime
import importlib
import json

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from common import migrate
from deploy.daemons import DATABASES
from tests import databases

AT = datetime.datetime(2026, 1, 2, 3, 4, 5)
ROWS = 2
# What columns hold that a revision reads: the column's name, or "table.column".
MEANT: dict = {}
# What a revision writes anew.
CHANGED: set[str] = set()


class SQLite:
    def __init__(self, path):
        self.url = f"sqlite:///{path}/pileus_"

    def make(self):
        """Files are made by who opens them."""

    def stop(self):
        """They go with their directory."""


@pytest.fixture(scope="module", params=["SQLite", "MariaDB", "PostgreSQL"])
def server(request, tmp_path_factory):
    made = SQLite(tmp_path_factory.mktemp("sqlite")) if request.param == "SQLite" else getattr(databases, request.param)()
    with databases.running(made):
        yield made


def value(column: sa.Column, number: int, values: dict):
    """Something that a column takes; of each row another, where that can be told apart."""
    meant = MEANT.get(f"{column.table.name}.{column.name}", MEANT.get(column.name))
    if meant is not None:
        return meant(number) if callable(meant) else meant
    for key in column.foreign_keys:
        return values[key.column.table.name][number][key.column.name]
    kind = column.type
    if isinstance(kind, sa.JSON):
        return {"n": number}
    if kind.__class__.__name__ == "LONGTEXT":  # MariaDB's JSON
        return json.dumps({"n": number})
    if isinstance(kind, sa.Boolean) or kind.__class__.__name__ == "TINYINT":
        return bool(number % 2)
    if isinstance(kind, sa.Integer):
        return number + 1
    if isinstance(kind, (sa.Float, sa.Numeric)):
        return float(number)
    if isinstance(kind, sa.DateTime):
        return AT
    if isinstance(kind, sa.LargeBinary):
        return bytes([number])
    text = f"{number}-{column.name}"
    return text[:kind.length] if getattr(kind, "length", None) else text


def seed(engine, seeded: dict) -> None:
    """Rows in each table that has none of ours."""
    metadata = sa.MetaData()
    metadata.reflect(engine)
    with engine.begin() as connection:
        for table in metadata.sorted_tables:
            if table.name in seeded or table.name == "alembic_version":
                continue
            rows = []
            for number in range(ROWS):
                known = {**seeded, table.name: rows}  # a table may refer to itself
                rows.append({})
                for column in table.columns:
                    own = column.primary_key and isinstance(column.type, sa.Integer) and not column.foreign_keys
                    rows[-1][column.name] = 1000 + number if own else value(column, number, known)
            connection.execute(sa.insert(table), rows)
            seeded[table.name] = rows


def kept(engine, table_name: str, rows: list[dict]) -> None:
    metadata = sa.MetaData()
    metadata.reflect(engine, only=[table_name])
    table = metadata.tables[table_name]
    with engine.connect() as connection:
        found = [dict(r) for r in connection.execute(sa.select(table)).mappings()]
    keys = [c.name for c in table.primary_key if c.name in rows[0]]
    for row in rows:
        (same,) = [f for f in found if all(f[k] == row[k] for k in keys)]
        changed = {k: (v, same[k]) for k, v in row.items() if k in same and same[k] != v and f"{table_name}.{k}" not in CHANGED}
        assert not changed, f"{table_name}: {changed}"


@pytest.mark.parametrize(("name", "package"), list(DATABASES.items()))
def test_every_revision_keeps_the_rows_that_it_meets(server, name, package):
    url = f"{server.url}{name}"
    engine, seeded = sa.create_engine(url), {}
    revisions = [r.revision for r in ScriptDirectory.from_config(migrate.config(package, url)).walk_revisions()][::-1]
    for revision in revisions:
        command.upgrade(migrate.config(package, url), revision)
        seed(engine, seeded)
    there = set(sa.inspect(engine).get_table_names())
    for table_name, rows in seeded.items():
        if table_name in there:
            kept(engine, table_name, rows)
    models = importlib.import_module(f"{package}.models")
    with engine.connect() as connection:
        # MariaDB has other types than those that were asked for: JSON is text, and another character set widens texts.
        typed = connection.dialect.name in ("sqlite", "postgresql")
        context = MigrationContext.configure(connection, opts={"compare_type": typed})
        assert compare_metadata(context, models.METADATA) == []
    engine.dispose()
