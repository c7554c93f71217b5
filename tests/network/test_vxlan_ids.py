"""Which VXLAN id a network gets when nobody chose one."""

import pytest

from common import context, db, errors
from network.db import models, networks


@pytest.fixture
def database(tmp_path):
    made = db.Database("test", f"sqlite:///{tmp_path}/network.sqlite")
    models.METADATA.create_all(made.engine)
    yield made
    made.engine.dispose()


@pytest.mark.parametrize(("used", "free"), [
    ((), 1001), ((5,), 1001), ((1001, 1002), 1003), ((1001, 1002, 1004), 1003), ((1002, 1004), 1001), ((1001, 1004), 1002),
    ((1001, 1002, 1003, 1004), None)])
def test_an_id_is_always_one_that_hosts_can_use(monkeypatch, database, used, free):
    """An administrator may choose the highest, after which none is left to count on from."""
    monkeypatch.setattr(networks, "VXLAN_IDS", range(1001, 1005))
    with database.writer() as connection:
        for number in used:
            at = db.now()
            connection.execute(models.networks.insert().values(
                id=context.new_uuid(), name="", description="", project_id="p", created_at=at, updated_at=at,
                revision_number=0, tags="[]", admin_state_up=True, status="ACTIVE", shared=False, router_external=False,
                is_default=False, port_security_enabled=True, mtu=1450, dns_domain="", provider_network_type="vxlan",
                provider_segmentation_id=number, provider_segment=f"vxlan::{number}", dhcp_host=""))
        if free is None:
            with pytest.raises(errors.Conflict):
                networks.free_vxlan_id(connection)
        else:
            assert networks.free_vxlan_id(connection) == free
