"""Clean up after failed uploads and crashes: images stuck in ``saving`` or partly staged, partial files, data without
a row."""

import datetime

import sqlalchemy as sa

from common import db, periodic, rows
from image import locations
from image.db import images
from image.db.models import images as TABLE
from image.db.models import tasks as TASKS


class Cleanup(periodic.Periodic):
    interval_s = 30.0
    STALE_S = 60.0

    def __init__(self, service):
        self.service = service

    def run_once(self) -> None:
        svc = self.service
        # List the data before the rows: an image that is created in between has a row, and is not listed.
        stored = {name: store.stored() for name, store in svc.stores.all.items() if store.kind == "file"}
        parts, staged = svc.incoming.parts(), svc.incoming.staged()
        with svc.db.reader() as connection:
            known = {r["id"]: r for r in rows.many(connection, sa.select(
                TABLE.c.id, TABLE.c.status, TABLE.c.size, TABLE.c.locations, TABLE.c.progress,
                TABLE.c.updated_at))}
            working = set(connection.execute(sa.select(TASKS.c.image_id).where(
                TASKS.c.status.in_(("pending", "processing")))).scalars())
        self._uploads(known, parts)
        svc.imports.clean()
        self._staged(known, staged)
        self._erase()
        self._remaining(known, working)
        saving = {i for i, row in known.items() if row["status"] == "saving"}
        for image_id in {i for i, age_s in parts.items() if age_s > self.STALE_S} - saving - working:
            svc.incoming.drop(image_id)
        self._unknown(known, stored, saving | working)

    def _old(self, row: dict) -> bool:
        return (db.now() - row["updated_at"]).total_seconds() > self.STALE_S

    def _uploads(self, known: dict, parts: dict[str, float]) -> None:
        """Reset uploads that have stopped: those in progress update the mtime of their partial file."""
        for image_id, row in known.items():
            if row["status"] == "saving" and self._old(row) and parts.get(image_id, self.STALE_S + 1) > self.STALE_S:
                self.service.reset(image_id, "reset", self.service.stores.writable())

    def _staged(self, known: dict, staged: dict[str, float]) -> None:
        svc = self.service
        for image_id, row in known.items():
            half = row["status"] == "uploading" and row["size"] is None
            if half and self._old(row) and staged.get(image_id, self.STALE_S) >= self.STALE_S:
                svc.incoming.unstage(image_id)
                svc.db.transact(images.move, image_id, "unstage")
        for image_id in set(staged) - {i for i, row in known.items() if row["status"] in ("uploading", "importing")}:
            svc.incoming.unstage(image_id)

    def _unknown(self, known: dict, stored: dict[str, set[str]], busy: set[str]) -> None:
        """Delete files of images that do not exist, or are not in that store. Unknown objects in remote stores are
        reported by the audit."""
        for name, ids in stored.items():
            for image_id in ids - busy:
                if image_id not in known or name not in locations.store_names(known[image_id]):
                    self.service.stores.get(name).delete(image_id)
        self.service.cache.clean({i for i, row in known.items() if row["status"] in ("active", "deactivated")})

    def _erase(self) -> None:
        """Erase images whose scrub_time has passed, and those whose earlier deletion from a store failed."""
        limit = db.now() - datetime.timedelta(seconds=self.service.conf.image.scrub_time)
        with self.service.db.writer() as connection:
            connection.execute(sa.update(TABLE).where(TABLE.c.status == "pending_delete", TABLE.c.updated_at <= limit).values(
                status="deleted"))
            gone = rows.many(connection, sa.select(TABLE).where(TABLE.c.status == "deleted"))
        for row in gone:
            self.service.erase(row)

    def _remaining(self, known: dict, busy: set[str]) -> None:
        """Retry deletions in stores that did not respond."""
        for image_id, row in known.items():
            if not images.undeleted_stores(row) or image_id in busy or row["status"] not in ("queued", "active", "deactivated"):
                continue
            left = self.service.stores.delete_data(image_id, set(images.undeleted_stores(row)) - set(locations.store_names(row)))
            rest = {k: v for k, v in row["progress"].items() if k != "left"}
            with self.service.db.writer() as connection:
                connection.execute(sa.update(TABLE).where(TABLE.c.id == image_id, TABLE.c.updated_at == row["updated_at"]).values(
                    progress={**rest, "left": left} if left else rest or None))
