"""What a crash leaves of staged data, and of imports that nobody works on any more."""

import datetime
import os
import time

import pytest
import sqlalchemy as sa

from common import db, errors, migrate
from common.context import Context
from common.service import default_url
from image import cli
from image.cleanup import Cleanup
from image.db import images
from image.db.models import images as TABLE
from image.db.models import tasks as TASKS
from image.service import ImageApi


@pytest.fixture
def service(tmp_path):
    migrate.sync("image.db", default_url(str(tmp_path), "image"))
    made = ImageApi.load(str(tmp_path))
    yield made
    made.stop()
    made.db.engine.dispose()


def add(service, id: str, status: str, *, size=None, age_s: float = 0, staged: bytes | None = b"half") -> dict:
    at = db.now() - datetime.timedelta(seconds=age_s)
    row = {"id": id, "name": "i", "status": status, "visibility": "private", "owner": "p", "size": size, "min_disk": 0,
           "min_ram": 0, "protected": False, "os_hidden": False, "properties": {}, "tags": [], "created_at": at, "updated_at": at}
    with service.db.writer() as connection:
        connection.execute(sa.insert(TABLE).values(row))
    if staged is not None:
        path = service.incoming.path / "staging" / id
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(staged)
        os.utime(path, (time.time() - age_s,) * 2)
    return row


def state(service, id: str) -> tuple[str, int | None, bool]:
    with service.db.reader() as connection:
        status, size = connection.execute(sa.select(TABLE.c.status, TABLE.c.size).where(TABLE.c.id == id)).one()
    return status, size, id in service.incoming.staged()


def test_incomplete_staged_data_is_deleted_and_complete_data_kept(service):
    add(service, "a1", "uploading", age_s=500)
    add(service, "a2", "uploading", age_s=500, staged=None)
    add(service, "b1", "uploading", age_s=5)
    add(service, "c1", "uploading", size=4, age_s=5000)
    add(service, "d1", "queued", age_s=500)
    Cleanup(service).run_once()
    assert [state(service, i) for i in ("a1", "a2", "b1", "c1", "d1")] == [
        ("queued", None, False), ("queued", None, False), ("uploading", None, True), ("uploading", 4, True),
        ("queued", None, False)]


def test_an_abandoned_import_has_failed(service):
    row = add(service, "e1", "importing", size=4)
    with service.db.writer() as connection:
        task = service.imports.begin(connection, Context(user_id="u"), row, {"name": "glance-direct"},
                                     stores=["file"])
    (service.incoming.path / "e1.part").write_bytes(b"some")
    Cleanup(service).run_once()
    assert state(service, "e1") == ("importing", 4, True), "it may be at work"
    with service.db.writer() as connection:
        connection.execute(sa.update(TASKS).values(updated_at=db.now() - datetime.timedelta(seconds=1000)))
    for _ in range(2):
        Cleanup(service).run_once()
    with service.db.reader() as connection:
        ended = connection.execute(sa.select(TASKS.c.status).where(TASKS.c.id == task["id"])).scalar()
    assert ended == "failure" and state(service, "e1") == ("queued", None, False)
    assert not list(service.incoming.path.glob("*.part"))


def test_what_was_deleted_is_kept_as_long_as_it_is_said(service):
    for image, age_s in (("a1", 500), ("b1", 5)):
        add(service, image, "pending_delete", size=4, age_s=age_s, staged=None)
        (service.incoming.path / image).write_bytes(b"data")
    service.conf.set_override("scrub_time", 60, group="image")
    Cleanup(service).run_once()
    with service.db.reader() as connection:
        assert connection.execute(sa.select(TABLE.c.id)).scalars().all() == ["b1"] == sorted(
            service.stores.default.stored())
        assert images.index(connection, where=[images.THERE], sort=[("id", "asc")], limit=9, marker_row=None) == [], (
            "for everybody it is gone")
    words = ["--state", service.conf.state_path, "restore"]
    assert cli.main([*words, "b1"]) == 0 and state(service, "b1")[0] == "active"
    assert cli.main([*words, "b1"]) == 1 == cli.main([*words, "a1"]), "not deleted; gone"


class Away:
    """A store that does not answer, until it does."""

    name, kind, read_only, weight, answers = "far", "s3", False, 0, False

    def __init__(self):
        self.deleted = []

    def delete(self, image_id):
        if not self.answers:
            raise errors.ServiceUnavailable(part="the store far")
        self.deleted.append(image_id)


def test_an_image_keeps_its_row_until_its_store_has_deleted_it(service):
    service.stores.all["far"] = store = Away()
    row = add(service, "a1", "deleted", size=4, staged=None)
    with service.db.writer() as connection:
        connection.execute(sa.update(TABLE).values(locations=[{"url": "s3://x/y/a1", "metadata": {"store": "far"}}]))
        with pytest.raises(errors.NotFound):
            images.get(connection, row["id"])
    Cleanup(service).run_once()
    with service.db.reader() as connection:
        assert images.any_row(connection, "a1")["status"] == "deleted"
    store.answers = True
    Cleanup(service).run_once()
    with service.db.reader() as connection, pytest.raises(errors.NotFound):
        images.any_row(connection, "a1")
    assert store.deleted == ["a1"]


def test_an_upload_into_an_unavailable_store_is_reset_later(service):
    service.stores.all["far"] = store = Away()
    add(service, "a1", "saving", age_s=500, staged=None)
    for _ in range(2):
        Cleanup(service).run_once()
        with service.db.reader() as connection:
            row = images.any_row(connection, "a1")
        assert (row["status"], images.undeleted_stores(row)) == ("queued", ["far"]), "the store may have something of it"
    store.answers = True
    Cleanup(service).run_once()
    with service.db.reader() as connection:
        assert images.any_row(connection, "a1")["progress"] is None and store.deleted == ["a1"]


def test_uploads_in_progress_are_not_cleaned_up(service):
    add(service, "a1", "saving", age_s=500, staged=None)
    (service.incoming.path / "a1.part").write_bytes(b"arriving")
    Cleanup(service).run_once()
    assert state(service, "a1")[0] == "saving" and service.incoming.part("a1").exists()


def test_files_that_no_location_names_go(service):
    for image, status in (("a1", "active"), ("b1", "queued")):
        add(service, image, status, size=4 if status == "active" else None, staged=None)
        (service.incoming.path / image).write_bytes(b"data")
    (service.incoming.path / "c1").write_bytes(b"data")
    Cleanup(service).run_once()
    assert service.stores.default.stored() == {"a1"}
