"""Each service's revisions make exactly the tables that its code expects."""

import datetime
import importlib

import pytest
import sqlalchemy as sa
from alembic import command
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


def test_networks_on_one_segment_are_reported_before_the_constraint_is_added(tmp_path):
    url = f"sqlite:///{tmp_path}/network.sqlite"
    command.upgrade(migrate.config("network.db", url), "0009")
    engine = sa.create_engine(url)
    metadata = sa.MetaData()
    metadata.reflect(engine, only=["networks"])
    networks, at = metadata.tables["networks"], datetime.datetime(2026, 1, 1)
    row = {"name": "", "description": "", "created_at": at, "updated_at": at, "revision_number": 0, "admin_state_up": True,
           "status": "ACTIVE", "shared": False, "router_external": False, "is_default": False, "port_security_enabled": True,
           "mtu": 1450, "dns_domain": "", "provider_network_type": "vxlan", "provider_segmentation_id": 1001}
    with engine.begin() as connection:
        connection.execute(sa.insert(networks), [{**row, "id": "a"}, {**row, "id": "b"}])
    with pytest.raises(RuntimeError, match="1001"):
        migrate.sync("network.db", url)
    with engine.begin() as connection:
        connection.execute(sa.delete(networks).where(networks.c.id == "b"))
    migrate.sync("network.db", url)
    with engine.connect() as connection:
        assert connection.execute(sa.text("SELECT provider_segment FROM networks")).scalar() == "vxlan::1001"
