"""A volume whose image does not come can be deleted, by who may force that."""

import threading
import types
import unittest.mock

import pytest

from common import context, db, errors
from common.db import Database
from common.periodic import wait_for
from common.tasks import Engine, Journal
from common.workers import Workers
from tests.volume.test_pending_work import volume
from volume.db import models
from volume.manager import CREATE, OTHER, Manager

LIMIT_S = 2.0
IMAGE = "9" * 8 + "-0000-4000-8000-000000000000"


@pytest.fixture
def service(tmp_path):
    database = Database("volume", f"sqlite:///{tmp_path}/v.sqlite")
    models.METADATA.create_all(database.engine)
    asked, go_on = threading.Event(), threading.Event()

    def request(method, service, where, *, stream=False, **more):
        if not stream:
            return {"id": IMAGE, "owner": "owner", "visibility": "private", "disk_format": "raw", "os_hash_value": "0" * 128}
        asked.set()
        go_on.wait(60)
        raise errors.ServiceUnavailable(part="the test, which is over")
    made = types.SimpleNamespace(
        db=database, asked=asked, incoming=tmp_path, rest=types.SimpleNamespace(request=request),
        driver=unittest.mock.Mock(keeps_bytes=True), notify=lambda *a: None, tasks=Engine(Journal(tmp_path / "tasks")),
        workers=Workers("volume-agent", {CREATE: 1, OTHER: 1}))
    yield made
    go_on.set()


def test_a_forced_delete_ends_the_download(service):
    row = volume(1, status="creating", image_id=IMAGE, updated_at=db.now())
    with service.db.writer() as connection:
        connection.execute(models.volumes.insert().values(**row))
    manager, ctx = Manager(service), context.service_context()
    manager.create_volume(ctx, row["id"])
    assert service.asked.wait(20)
    with service.db.writer() as connection:
        connection.execute(models.volumes.update().values(status="deleting"))
    manager.delete_volume(ctx, row["id"])

    def gone() -> bool:
        with service.db.reader() as connection:
            return connection.execute(models.volumes.select()).first() is None
    wait_for(gone, LIMIT_S, every_s=0.01, what="the delete")
    assert not service.driver.fill.called and service.driver.delete.called
    wait_for(lambda: not service.tasks.running(), LIMIT_S, every_s=0.01, what="the end of the tasks")
    assert not service.tasks.pending()
