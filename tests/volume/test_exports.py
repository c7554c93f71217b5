"""Exports that a restarted tgtd has lost."""

import types

import pytest
import sqlalchemy as sa

from common import conf as conf_module
from common import db
from common.db import Database
from common.vault import Vault
from volume import conf, drivers
from volume.db import models
from volume.exports import Exports

HOST, INFO = "node1", {"auth_username": "u", "auth_password": "p"}
ONE, TWO = (f"{n}1111111-1111-4111-8111-111111111111" for n in (1, 2))


@pytest.fixture
def service(tmp_path):
    database = Database("volume", f"sqlite:///{tmp_path}/v.sqlite")
    models.METADATA.create_all(database.engine)
    loaded = conf_module.load("volume", conf.OPTS, str(tmp_path), {"volume.driver": "fake", "host": HOST})
    made = types.SimpleNamespace(db=database, conf=loaded, driver=drivers.load(loaded), vault=Vault(f"{tmp_path}/keys"))
    at = db.now()
    with database.writer() as connection:
        for volume_id in (ONE, TWO):
            connection.execute(sa.insert(models.volumes).values(
                id=volume_id, project_id="p", user_id="u", name="", size=1, status="in-use", host=HOST, bootable=False,
                readonly=False, availability_zone="nova", metadata={}, image_metadata={}, request_id="r",
                created_at=at, updated_at=at))
            connection.execute(sa.insert(models.attachments).values(
                id=volume_id, volume_id=volume_id, project_id="p", attach_status="attached", attach_mode="rw",
                connector={"host": HOST, "initiator": "i"}, connection_info=INFO, created_at=at))
    return made


def test_a_missing_volume_does_not_affect_other_exports(service):
    service.driver.create(TWO, 1)
    Exports(service).run_once()
    assert service.driver.exports() == [TWO]


def test_an_attachment_that_is_just_being_ended_is_not_exported_again(service):
    """Its row goes a moment after its export."""
    connect, a = service.driver.connect, models.attachments
    for volume_id in (ONE, TWO):
        service.driver.create(volume_id, 1)

    def ends(volume_id, *args):
        with service.db.writer() as connection:
            connection.execute(sa.delete(a).where(a.c.volume_id == ONE))
        return connect(volume_id, *args)
    service.driver.connect = ends
    Exports(service).run_once()
    assert service.driver.exports() == [TWO]
