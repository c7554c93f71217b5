"""Alembic per service: ``<service>/db/migrations`` holds its revisions."""

import importlib
import logging
import pathlib

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

LOG = logging.getLogger(__name__)


def config(package: str, url) -> Config:
    """An Alembic configuration without an ini file.

    :param package: import name of the package that holds ``migrations/``
    """
    home = pathlib.Path(importlib.import_module(package).__file__ or "").parent / "migrations"
    alembic = Config()
    alembic.set_main_option("script_location", str(home))
    alembic.attributes["url"] = url
    return alembic


def sync(package: str, url: str) -> None:
    """Upgrade a database to the newest revision. Repeatable."""
    command.upgrade(config(package, url), "head")


def version(package: str, url: str) -> tuple[str | None, str | None]:
    """(revision of the database, newest revision)."""
    head = ScriptDirectory.from_config(config(package, url)).get_current_head()
    with sa.create_engine(url).connect() as connection:
        return MigrationContext.configure(connection).get_current_revision(), head


def compare_exactly(op) -> None:
    """For a revision: make MariaDB compare strings exactly, as the other databases do, and store all characters.

    Its default collation ignores case, accents and trailing spaces, so that different names would collide; with an old default
    character set, characters outside Latin 1 could not be stored. Applies to all existing and future tables.

    :param op: Alembic's operations
    """
    connection = op.get_bind()
    if connection.dialect.name not in ("mysql", "mariadb"):
        return
    to = "CHARACTER SET utf8mb4 COLLATE " + ("utf8mb4_nopad_bin" if connection.dialect.is_mariadb else "utf8mb4_0900_bin")
    quote, found = connection.dialect.identifier_preparer.quote, sa.inspect(connection)
    tables = found.get_table_names()
    keys = [(table, key) for table in tables for key in found.get_foreign_keys(table)]
    op.execute(f"ALTER DATABASE {quote(connection.engine.url.database)} {to}")
    # Columns of a foreign key cannot be changed one after the other.
    for table, key in keys:
        op.drop_constraint(key["name"], table, type_="foreignkey")
    for table in tables:
        op.execute(f"ALTER TABLE {quote(table)} CONVERT TO {to}")
    for table, key in keys:
        op.create_foreign_key(key["name"], table, key["referred_table"], key["constrained_columns"], key["referred_columns"],
                              **key["options"])


def run_env(alembic_context) -> None:
    """The body of all ``migrations/env.py``: upgrade online, one transaction per revision."""
    engine = sa.create_engine(alembic_context.config.attributes["url"])
    with engine.connect() as connection:
        alembic_context.configure(connection=connection, transaction_per_migration=True, render_as_batch=True)
        with alembic_context.begin_transaction():
            alembic_context.run_migrations()
    engine.dispose()
