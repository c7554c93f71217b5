"""What a volume has is only lost for an image that is there, while nobody reads or writes the volume."""

import contextlib
import types
import unittest.mock

import pytest

from common import db, errors
from common.db import Database
from tests.volume.test_pending_work import volume
from volume.db import models, reimages, volumes
from volume.services.volumes import metadata_of_written
from volume.tasks.reimage import ReimageVolume

VOLUME, NOW = volume(1)["id"], db.now()
IMAGE = {"id": "00000001-3333-4333-8333-333333333333", "name": "a", "status": "active", "disk_format": "raw",
         "container_format": "bare", "checksum": "0", "size": 512, "virtual_size": None, "min_disk": 0, "min_ram": 0}
SNAPSHOT = {"id": "s", "project_id": "owner", "user_id": "u", "volume_id": VOLUME, "volume_size": 1, "status": "creating",
            "metadata": {}, "request_id": "req-1", "created_at": NOW, "updated_at": NOW}
ATTACHMENT = {"id": "a", "volume_id": VOLUME, "project_id": "owner", "instance_uuid": "i", "attach_status": "reserved",
              "connector": {}, "connection_info": {}, "attach_mode": "rw", "created_at": NOW}


@pytest.fixture
def service(tmp_path):
    """With a volume that is available."""
    database = Database("volume", f"sqlite:///{tmp_path}/v.sqlite")
    models.METADATA.create_all(database.engine)
    made = types.SimpleNamespace(db=database, driver=unittest.mock.Mock(keeps_bytes=True), notify=unittest.mock.Mock(),
                                 notifier=unittest.mock.Mock())
    insert(made, models.volumes, volume(1, status="available"))
    return made


def insert(service, table, row: dict) -> None:
    with service.db.writer() as connection:
        connection.execute(table.insert().values(**row))


def say(service, status: str) -> None:
    with service.db.writer() as connection:
        connection.execute(models.volumes.update().where(models.volumes.c.id == VOLUME).values(status=status))


def shown(service) -> dict:
    with service.db.reader() as connection:
        return volumes.get(connection, None, VOLUME)


def begin(service, image_id: str = "A", *, reserved: bool = False) -> None:
    with service.db.writer() as connection:
        reimages.begin(connection, volumes.get(connection, None, VOLUME), {"image_id": image_id}, reserved=reserved,
                       request_id="req-1")


@pytest.mark.parametrize(("table", "row"), [
    (models.snapshots, SNAPSHOT), (models.volumes, volume(2, status="creating", source_volid=VOLUME))], ids=["snapshot", "clone"])
def test_a_volume_gets_no_image_while_it_is_copied(service, table, row):
    insert(service, table, row)
    with pytest.raises(errors.BadRequest, match="is being created from volume"):
        begin(service)
    assert shown(service)["status"] == "available"
    with service.db.writer() as connection:
        connection.execute(table.update().where(table.c.id == row["id"]).values(status="available"))
    begin(service)
    assert shown(service)["status"] == "downloading"


@pytest.mark.parametrize("status", ["available", "error", "reserved"])
@pytest.mark.parametrize("attach_status", ["attaching", "attached"])
def test_a_volume_whose_status_was_reset_gets_no_image_while_it_is_connected(service, status, attach_status):
    insert(service, models.attachments, {**ATTACHMENT, "attach_status": attach_status})
    say(service, status)
    with pytest.raises(errors.BadRequest, match="is connected to"):
        begin(service, reserved=True)
    assert shown(service)["status"] == status


@pytest.mark.parametrize("status", ["error", "reserved"])
def test_a_volume_that_is_reserved_gets_an_image(service, status):
    insert(service, models.attachments, ATTACHMENT)
    say(service, status)
    begin(service, reserved=True)
    assert shown(service)["status"] == "downloading"


def task(service, image_id: str) -> tuple[ReimageVolume, dict]:
    return ReimageVolume(service), {"volume_id": VOLUME, "project_id": "owner", "image_id": image_id}


def test_a_task_only_reports_its_own_image(service):
    """An administrator resets the status while A is written, and B is asked for."""
    begin(service, "A")
    say(service, "error")
    begin(service, "B")
    former, state = task(service, "A")
    assert not former.still_current(state)
    former.publish(state)
    former.failed("fill", errors.StepFailed(reason="A is damaged."), state)
    assert (shown(service)["status"], shown(service)["image_metadata"], shown(service)["fault"]) == ("downloading", {}, None)
    assert not service.notify.called
    later, state = task(service, "B")
    assert later.still_current(state)
    later.publish(state)
    assert (shown(service)["status"], shown(service)["image_metadata"]) == ("available", {"image_id": "B"})


def test_an_image_that_was_superseded_is_not_written(service, monkeypatch):
    begin(service, "A")

    @contextlib.contextmanager
    def downloaded(service, state):
        say(service, "error")
        begin(service, "B")
        yield "/nowhere", {"disk_format": "raw"}
    monkeypatch.setattr("volume.tasks.reimage.downloaded", downloaded)
    former, state = task(service, "A")
    with pytest.raises(errors.Superseded):
        former.fill(state)
    assert not service.driver.refill.called


def test_a_failure_is_reported(service):
    begin(service, "A")
    former, state = task(service, "A")
    former.failed("fill", errors.StepFailed(reason="A is damaged."), state)
    assert shown(service)["status"] == "error" and "A is damaged." in shown(service)["fault"]


@pytest.mark.parametrize("values", [{"size": 0}, {"block_device_mapping": "[]"}], ids=["empty", "names snapshots"])
def test_an_image_without_data_is_not_written(values):
    def image_of(**values) -> dict:
        rest = types.SimpleNamespace(request=lambda *a, **more: {**IMAGE, **values})
        return metadata_of_written(types.SimpleNamespace(ctx=None, svc=types.SimpleNamespace(rest=rest)), IMAGE["id"], 1)
    assert image_of()["image_id"] == IMAGE["id"]
    with pytest.raises(errors.BadRequest, match="has no data"):
        image_of(**values)
