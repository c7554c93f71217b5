"""Imports where a functional test would need a cloud of its own."""

import pytest
import sqlalchemy as sa

from common import db, migrate
from common.context import Context
from common.periodic import wait_for
from common.service import default_url
from image import imports
from image.db import images
from image.db.models import images as TABLE
from image.db.models import tasks as TASKS
from image.service import ImageApi

ID = "a1b2c3d4-0000-4000-8000-000000000000"


@pytest.fixture
def service(tmp_path, monkeypatch):
    migrate.sync("image.db", default_url(str(tmp_path), "image"))
    made = ImageApi.load(str(tmp_path), {"image.do_secure_hash": False})
    monkeypatch.setattr(imports.locations, "size", lambda url, conf: 7)
    at = db.now()
    with made.db.writer() as connection:
        connection.execute(sa.insert(TABLE).values({
            "id": ID, "name": "i", "status": "importing", "visibility": "private", "owner": "p", "min_disk": 0, "min_ram": 0,
            "protected": False, "os_hidden": False, "properties": {}, "tags": [], "created_at": at, "updated_at": at,
            "locations": [{"url": "http://8.8.8.8/x", "metadata": {}}]}))
    yield made
    made.stop()
    made.db.engine.dispose()


@pytest.mark.parametrize("known", [{}, {"os_hash_algo": "sha256", "os_hash_value": "0" * 64}])
def test_a_location_is_believed_where_it_is_not_read(service, known):
    with service.db.writer() as connection:
        row = images.any_row(connection, ID)
        task = service.imports.begin(connection, Context(user_id="u"), row, {"name": "location_import"}, stores=[],
                                     kind="location_import", given={"loc_url": "http://8.8.8.8/x", "validation_data": known})
    service.imports.start(task, row)

    def ended():
        with service.db.reader() as connection:
            return connection.execute(sa.select(TASKS.c.status).where(TASKS.c.expires_at.is_not(None))).scalar()
    assert wait_for(ended, 10) == "success"
    with service.db.reader() as connection:
        row = images.any_row(connection, ID)
    assert (row["status"], row["size"], row["os_hash_algo"], row["os_hash_value"], row["checksum"]) == (
        "active", 7, known.get("os_hash_algo"), known.get("os_hash_value"), None)
