"""Each service's revisions make exactly the tables that its code expects."""

import importlib

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from common import migrate
from deploy.daemons import DATABASES


@pytest.mark.parametrize(("name", "package"), list(DATABASES.items()))
def test_revisions_lead_to_the_models(tmp_path, name, package):
    url = f"sqlite:///{tmp_path}/{name}.sqlite"
    migrate.sync(package, url)
    migrate.sync(package, url)
    at, head = migrate.version(package, url)
    assert at == head is not None
    models = importlib.import_module(f"{package}.models")
    with sa.create_engine(url).connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), models.METADATA) == []
