"""Alembic for each service: ``<service>/db/migrations`` holds its revisions."""

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
    """Bring a database to the newest revision. Running it again changes nothing."""
    command.upgrade(config(package, url), "head")


def version(package: str, url: str) -> tuple[str | None, str | None]:
    """(revision of the database, newest revision of the code)."""
    head = ScriptDirectory.from_config(config(package, url)).get_current_head()
    with sa.create_engine(url).connect() as connection:
        return MigrationContext.configure(connection).get_current_revision(), head


def compare_exactly(op) -> None:
    """For a revision: have MariaDB compare texts to the letter, as the other databases do, and take every character.

    Its defaults take no notice of case, accents and spaces at the end, so that a name would find another one and collide with
    it; where a database was made with an old default, texts with characters beyond Latin 1 could not be stored. This holds for
    all tables that there are, and for those that are yet to come.

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
    # Columns that a foreign key joins cannot be changed one after the other.
    for table, key in keys:
        op.drop_constraint(key["name"], table, type_="foreignkey")
    for table in tables:
        op.execute(f"ALTER TABLE {quote(table)} CONVERT TO {to}")
    for table, key in keys:
        op.create_foreign_key(key["name"], table, key["referred_table"], key["constrained_columns"], key["referred_columns"],
                              **key["options"])


def run_env(alembic_context) -> None:
    """What every service's ``migrations/env.py`` does: upgrade online, in one transaction per revision."""
    engine = sa.create_engine(alembic_context.config.attributes["url"])
    with engine.connect() as connection:
        alembic_context.configure(connection=connection, transaction_per_migration=True, render_as_batch=True)
        with alembic_context.begin_transaction():
            alembic_context.run_migrations()
    engine.dispose()
