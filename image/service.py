"""The image daemon."""

import datetime

import sqlalchemy as sa

from common import db, periodic, policy
from common.service import Service
from image import conf, policies
from image.db import images
from image.db.models import images as TABLE
from image.imports import Imports
from image.protections import Protections
from image.store import FileStore


class Janitor(periodic.Periodic):
    """Put back what a broken upload or a crash left: rows in ``saving`` or half staged, parts, files without a row."""

    interval_s = 30.0
    STALE_S = 60.0

    def __init__(self, service):
        self.service = service

    def run_once(self) -> None:
        store, database = self.service.store, self.service.db
        stale = set(store.stale_parts(self.STALE_S))
        present = {p.stem for p in store.path.glob("*.part")}
        with database.reader() as connection:
            known = dict(connection.execute(sa.select(TABLE.c.id, TABLE.c.status)).all())
            half = set(connection.execute(sa.select(TABLE.c.id).where(
                TABLE.c.status == "uploading", TABLE.c.size.is_(None))).scalars())
        saving = {i for i, status in known.items() if status == "saving"}
        for image_id in saving & stale | {i for i in saving - present if self._long(i)}:
            store.delete(image_id)
            with database.writer() as connection:
                images.move(connection, image_id, "reset")
        self.service.imports.clean()
        self._scrub()
        staged = store.staged()
        for image_id in (i for i in half if staged.get(i, self.STALE_S) >= self.STALE_S and self._long(i)):
            store.unstage(image_id)
            with database.writer() as connection:
                images.move(connection, image_id, "unstage")
        for image_id in set(staged) - {i for i, status in known.items() if status in ("uploading", "importing")}:
            store.unstage(image_id)
        busy = saving | {i for i, status in known.items() if status == "importing"}
        for image_id in stale - busy | (set(store.stored()) - set(known)):
            store.delete(image_id)

    def _scrub(self) -> None:
        """Take away what was deleted long enough ago. A crash in between leaves a file without a row, as at any deletion."""
        limit = db.now() - datetime.timedelta(seconds=self.service.conf.image.scrub_time)
        with self.service.db.writer() as connection:
            gone = connection.execute(sa.select(TABLE.c.id).where(
                TABLE.c.status == "pending_delete", TABLE.c.updated_at <= limit)).scalars().all()
            connection.execute(sa.delete(TABLE).where(TABLE.c.id.in_(gone)))
        for image_id in gone:
            self.service.store.delete(image_id)
            self.service.store.unstage(image_id)

    def _long(self, image_id: str) -> bool:
        with self.service.db.reader() as connection:
            changed = connection.execute(sa.select(TABLE.c.updated_at).where(TABLE.c.id == image_id)).scalar()
        return changed is not None and (db.now() - changed).total_seconds() > self.STALE_S


class ImageApi(Service):
    name, conf_name, db_name = "image-api", "image", "image"
    api, default_port, opts = "image", 9292, conf.OPTS

    def setup(self) -> None:
        self.policy = policy.Policy("image", policies.RULES, self.conf)
        self.store = FileStore(self.conf.image.store_path or f"{self.conf.state_path}/images")
        self.protections = Protections(self.conf.image.property_protection_file)
        self.imports = Imports(self)
        self.periodics.append(Janitor(self))
