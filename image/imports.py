"""Imports: what was staged, or what a URL names, becomes an image's data. Each is a task that can be looked at.

The task's row is written before anything is done, and says how it ended. If the process dies meanwhile, nobody renews the
row: the janitor then ends the task as failed, and puts the image back to ``queued`` with nothing left in the store. An
import that was asked for twice finds the image in another state the second time, and is refused.
"""

import datetime
import logging
import threading
import time

import sqlalchemy as sa

from common import context, db, errors, inspector, rows
from image import web
from image.db import images
from image.db.models import tasks as TABLE

LOG = logging.getLogger(__name__)
METHODS = ("glance-direct", "web-download")
KEPT = datetime.timedelta(hours=48)
STALE_S = 150.0  # more than a server may take until it answers
BEAT_S = 5.0


def view(row: dict) -> dict:
    shown = {k: v for k, v in row.items() if not k.endswith("_at")}
    return {**shown, "created_at": db.iso(row["created_at"]), "updated_at": db.iso(row["updated_at"]),
            "expires_at": db.iso(row["expires_at"]) if row["expires_at"] else None,
            "self": f"/v2/tasks/{row['id']}", "schema": "/v2/schemas/task"}


class _Beating:
    """A stream that renews its task's row while it is read."""

    def __init__(self, source, beat):
        self.source, self.beat, self.at = source, beat, time.monotonic()

    def read(self, size: int) -> bytes:
        if time.monotonic() - self.at > BEAT_S:
            self.at = time.monotonic()
            self.beat()
        return self.source.read(size)


class Imports:
    """:param service: the image service"""

    def __init__(self, service):
        self.service = service

    def begin(self, connection, ctx, image: dict, given: dict, *, kind: str = "api_image_import") -> dict:
        """The task's row, in the transaction that gives the image its state. ``start`` it after the commit."""
        at = db.now()
        return rows.insert(connection, TABLE, {
            "id": context.new_uuid(), "type": kind, "status": "pending", "owner": image["owner"], "image_id": image["id"],
            "user_id": ctx.user_id, "request_id": ctx.request_id, "input": given, "result": None, "message": "",
            "created_at": at, "updated_at": at, "expires_at": None})

    def start(self, task: dict, image: dict) -> None:
        threading.Thread(target=self._run, args=(task, image), daemon=True, name=f"import-{image['id']}").start()

    def _set(self, task_id: str, **values) -> None:
        with self.service.db.writer() as connection:
            connection.execute(sa.update(TABLE).where(TABLE.c.id == task_id).values(updated_at=db.now(), **values))

    def _run(self, task: dict, image: dict) -> None:
        try:
            self._set(task["id"], status="processing")
            self._import(task, image)
        except Exception as error:  # the task's boundary: whatever it was, the task says that it failed
            public = str(error) if isinstance(error, errors.Error) and error.status < 500 or isinstance(
                error, errors.StepFailed) else "The import failed."
            LOG.warning("import %s of image %s: %s %s", task["id"], image["id"], error, getattr(error, "internal", None) or "",
                        exc_info=not isinstance(error, errors.Error))
            self.fail(task["id"], image["id"], public)

    def _import(self, task: dict, image: dict) -> None:
        store, conf, id = self.service.store, self.service.conf.image, image["id"]

        def add(source) -> dict:
            return store.add(id, _Beating(source, lambda: self._set(task["id"])), conf.max_image_bytes)
        if task["input"]["method"] == "glance-direct":
            with store.open_staged(id) as source:
                facts = add(source)
        else:
            with web.fetch(task["input"]["uri"], conf) as source:
                facts = add(source)
        facts["virtual_size"] = inspector.check(store.part(id), image["disk_format"]).virtual_bytes
        store.commit(id)
        with self.service.db.writer() as connection:
            images.move(connection, id, "imported", **facts)
            connection.execute(sa.update(TABLE).where(TABLE.c.id == task["id"]).values(
                status="success", updated_at=db.now(), expires_at=db.now() + KEPT, result={"image_id": id}))
        store.unstage(id)
        LOG.info("image %s is imported, %d bytes", id, facts["size"])

    def fail(self, task_id: str, image_id: str | None, message: str) -> None:
        """End a task; its image is as before it. Repeatable."""
        if image_id is not None:
            self.service.store.delete(image_id)
            self.service.store.unstage(image_id)
        with self.service.db.writer() as connection:
            connection.execute(sa.update(TABLE).where(TABLE.c.id == task_id).values(
                status="failure", updated_at=db.now(), expires_at=db.now() + KEPT, message=message))
            try:
                if image_id is not None:
                    images.move(connection, image_id, "import_failed", size=None)
            except (errors.NotFound, errors.InvalidState):
                pass  # deleted meanwhile: its owner wanted it gone

    def clean(self) -> None:
        """End the tasks that nobody works on any more, and forget those that ended two days ago."""
        limit = db.now() - datetime.timedelta(seconds=STALE_S)
        with self.service.db.reader() as connection:
            stale = rows.many(connection, sa.select(TABLE).where(TABLE.c.status.in_(("pending", "processing")),
                                                                 TABLE.c.updated_at < limit))
        for task in stale:
            self.fail(task["id"], task["image_id"], "The service was stopped while it worked on this.")
        with self.service.db.writer() as connection:
            connection.execute(sa.delete(TABLE).where(TABLE.c.expires_at < db.now()))
