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


def run_env(alembic_context) -> None:
    """What every service's ``migrations/env.py`` does: upgrade online, in one transaction per revision."""
    engine = sa.create_engine(alembic_context.config.attributes["url"])
    with engine.connect() as connection:
        alembic_context.configure(connection=connection, transaction_per_migration=True, render_as_batch=True)
        with alembic_context.begin_transaction():
            alembic_context.run_migrations()
    engine.dispose()
