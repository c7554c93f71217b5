"""Imports: staged data, or the data of a URL, of another cloud's image or of the image itself is put into one or more
stores.

Each import is a task, whose row is written before it starts, and contains its result. A running import updates the
time in the row. If its process dies, the cleanup ends the task as failed, deletes its data from stores that are not
among the image's locations, and restores the state of the image. A repeated request is refused: the image is in
another state then, or has an unfinished task.
"""

import contextlib
import datetime
import logging
import threading
import time

import sqlalchemy as sa

from common import context, db, errors, inspector, rows, units
from image import conversion, locations, remote, web
from image.db import images
from image.db.models import tasks as TABLE
from image.incoming import Hashes

LOG = logging.getLogger(__name__)
METHODS = ("glance-direct", "web-download", "glance-download", "copy-image")
KEPT = datetime.timedelta(hours=48)
STALE_S = 150.0  # longer than a server may take to respond
BEAT_S = 5.0
UNDONE = TABLE.c.status.in_(("pending", "processing"))


def view(row: dict) -> dict:
    shown = {k: v for k, v in row.items() if not k.endswith("_at")}
    return {**shown, "created_at": db.iso(row["created_at"]), "updated_at": db.iso(row["updated_at"]),
            "expires_at": db.iso(row["expires_at"]) if row["expires_at"] else None,
            "self": f"/v2/tasks/{row['id']}", "schema": "/v2/schemas/task"}


class _Beating:
    """A stream that updates the time of its task as it is read."""

    def __init__(self, source, beat):
        self.source, self.beat = source, beat

    def read(self, size: int) -> bytes:
        self.beat()
        return self.source.read(size)


class Imports:
    """:param service: the image service"""

    def __init__(self, service):
        self.service = service

    def begin(self, connection, ctx, image: dict, method: dict, *, stores: list[str], must_succeed: bool = True,
              kind: str = "api_image_import", given: dict | None = None) -> dict:
        """Insert the task's row, in the transaction that changes the state of the image. Call ``start`` after the
        commit.

        :param method: {"name", and its parameters}, as in the API
        :param stores: the destinations
        :param must_succeed: whether the import fails if one of the stores fails
        :raises Conflict: the image has an unfinished task
        """
        if connection.execute(sa.select(TABLE.c.id).where(TABLE.c.image_id == image["id"], UNDONE)).first():
            raise errors.Conflict(f"Image {image['id']} has an import in progress.")
        if kind != "location_import":
            images.update(connection, image["id"], {"progress": {"to": stores, "failed": []}})
        at = db.now()
        given = {**(given or {}), "image_id": image["id"], "backend": stores, "import_req": {
            "method": method, "stores": stores, "all_stores_must_succeed": must_succeed}}
        return rows.insert(connection, TABLE, {
            "id": context.new_uuid(), "type": kind, "status": "pending", "owner": image["owner"], "image_id": image["id"],
            "user_id": ctx.user_id, "request_id": ctx.request_id, "input": given, "result": None, "message": "",
            "created_at": at, "updated_at": at, "expires_at": None})

    def start(self, task: dict, image: dict, ctx=None) -> None:
        """:param ctx: the request's, if its token is needed: tokens are not stored"""
        threading.Thread(target=self._run, args=(task, image, ctx), daemon=True, name=f"import-{image['id']}").start()

    @units.unit
    def _set(self, task_id: str, **values) -> None:
        with self.service.db.writer() as connection:
            connection.execute(sa.update(TABLE).where(TABLE.c.id == task_id).values(updated_at=db.now(), **values))

    def _beat(self, task: dict):
        """A function that updates the time in a task's row, at limited intervals."""
        at = [time.monotonic()]

        def beat() -> None:
            if time.monotonic() - at[0] > BEAT_S:
                at[0] = time.monotonic()
                self._set(task["id"])
        return beat

    def _run(self, task: dict, image: dict, ctx) -> None:
        try:
            self._set(task["id"], status="processing")
            if task["type"] == "location_import":
                self._hash(task, image)
            else:
                self._import(task, image, ctx)
        except Exception as error:  # boundary of the task: whatever happens, it must be marked as failed
            public = str(error) if isinstance(error, errors.Error) and error.status < 500 or isinstance(
                error, errors.StepFailed) else "The import failed."
            LOG.warning("import %s of image %s: %s %s", task["id"], image["id"], error, getattr(error, "internal", None) or "",
                        exc_info=not isinstance(error, errors.Error))
            self.fail(task, public)

    # Sources --------------------------------------------------------------------

    def _import(self, task: dict, image: dict, ctx) -> None:
        id, beat, changed = image["id"], self._beat(task), dict[str, object]()
        method, incoming = task["input"]["import_req"]["method"], self.service.incoming
        with self._source(method, image, ctx, changed) as source:
            facts = incoming.add(id, _Beating(source, beat), self.service.conf.image.max_image_bytes)
        if method["name"] == "copy-image":
            if (facts["size"], facts[_hash_of(image)]) != (image["size"], image[_hash_of(image)] or facts[_hash_of(image)]):
                raise errors.StepFailed(reason="The data in the store does not match the image.")
            facts = {}
        else:
            facts.update(changed, **self._prepared({**image, **changed}, beat))
        self._place(task, image, facts, beat)
        incoming.drop(id)
        if method["name"] == "glance-direct":
            incoming.unstage(id)
        LOG.info("importing image %s by %s", id, method["name"])

    @contextlib.contextmanager
    def _source(self, method: dict, image: dict, ctx, changed: dict):
        """The stream of a method. Columns that come with it are added to ``changed``."""
        conf = self.service.conf.image
        with contextlib.ExitStack() as stack:
            if method["name"] == "glance-direct":
                yield stack.enter_context(self.service.incoming.open_staged(image["id"]))
            elif method["name"] == "web-download":
                yield stack.enter_context(web.fetch(method["uri"], conf))
            elif method["name"] == "glance-download":
                there = stack.enter_context(remote.download(self.service.rest, ctx, method))
                changed.update(there.columns(image, conf.extra_properties))
                yield there
            else:
                yield stack.enter_context(contextlib.closing(locations.open_first(image, self.service.stores, conf)))

    def _prepared(self, image: dict, beat) -> dict:
        """Inspect the data, and convert it if configured; returns the columns that change."""
        conf, part = self.service.conf.image, self.service.incoming.part(image["id"])
        header = inspector.check(part, image["disk_format"])
        if not conversion.applies(image["disk_format"], conf.conversion_format):
            return {"virtual_size": header.virtual_bytes}
        target = part.with_suffix(".new")
        conversion.convert(part, image["disk_format"], target, conf.conversion_format, limit=conf.max_image_bytes, beat=beat)
        target.replace(part)
        hashes = Hashes()
        with self.service.incoming.source(image["id"], beat) as source:
            hashes.read(source)
        return {**hashes.facts(), "disk_format": conf.conversion_format,
                "virtual_size": inspector.check(part, conf.conversion_format).virtual_bytes}

    # Destinations ---------------------------------------------------------------

    def _place(self, task: dict, image: dict, facts: dict, beat) -> None:
        """Put the data into each store. With must_succeed, locations are recorded after the last store only."""
        id, wanted, failed, done = image["id"], list(task["input"]["backend"]), list[str](), list[str]()
        must = task["input"]["import_req"]["all_stores_must_succeed"]
        for number, name in enumerate(wanted):
            try:
                with self.service.incoming.source(id, beat) as source:
                    self.service.stores.get(name).put(id, source)
                done.append(name)
            except (errors.StorageFull, errors.ServiceUnavailable) as error:
                LOG.warning("image %s could not be imported into store %s: %s %s", id, name, error, error.internal)
                failed.append(name)
                if must:
                    self.service.db.transact(images.update, id, {"progress": {"to": [], "failed": failed}})
                    raise errors.StepFailed(reason=f"The image could not be put into store {name}.") from error
            if not must or number == len(wanted) - 1:
                self._arrived(id, done, facts, {"to": wanted[number + 1:], "failed": failed})
                done = []
        if failed and len(failed) == len(wanted):
            raise errors.StepFailed(reason="The image could not be put into any store.")
        self._set(task["id"], status="success", expires_at=db.now() + KEPT, result={"image_id": id})

    @units.unit
    def _arrived(self, id: str, done: list[str], facts: dict, progress: dict) -> None:
        """:raises InvalidState, NotFound: the image has been deleted meanwhile"""
        with self.service.db.writer() as connection:
            row = images.any_row(connection, id)
            values = {**facts, "progress": progress}
            if done:
                values["locations"] = [*(locations.entries(row) if row["status"] != "importing" else []),
                                       *(locations.in_store(self.service.stores.get(name), id) for name in done)]
            if row["status"] == "importing" and done:
                images.move(connection, id, "imported", **values)
            elif row["status"] == "importing":
                images.move(connection, id, "importing", progress=progress)
            else:
                images.move(connection, id, "copied", **values)

    # Hashes of a location -------------------------------------------------------

    def _hash(self, task: dict, image: dict) -> None:
        """Download a location. With a known hash, the image becomes active if it matches; otherwise it is active already."""
        id, known, url = image["id"], task["input"]["validation_data"], task["input"]["loc_url"]
        conf, beat = self.service.conf.image, self._beat(task)
        size = locations.size(url, conf)
        hashes = Hashes(known.get("os_hash_algo", "sha512"))
        if not known or not conf.do_secure_hash:
            hash_columns = known or {"os_hash_algo": hashes.algorithm if conf.do_secure_hash else None}
            self.service.db.transact(images.move, id, "imported", size=size, **hash_columns)
        if conf.do_secure_hash:
            with web.fetch(url, conf) as source:
                hashes.read(_Beating(source, beat), conf.max_image_bytes, self._there(id))
            if known and hashes.facts()["os_hash_value"] != known["os_hash_value"].lower():
                raise errors.StepFailed(reason="The hash of the location's data does not match validation_data.")
            self.service.db.transact(images.move, id, "imported" if known else "copied", **hashes.facts())
        self._set(task["id"], status="success", expires_at=db.now() + KEPT, result={"image_id": id})

    def _there(self, id: str):
        """A function that tells whether the image still exists, checked at limited intervals."""
        at = [time.monotonic()]

        def there() -> bool:
            if time.monotonic() - at[0] < 1:
                return True
            at[0] = time.monotonic()
            with self.service.db.reader() as connection:
                return connection.execute(sa.select(images.TABLE.c.id).where(
                    images.TABLE.c.id == id, images.THERE)).first() is not None
        return there

    # End ------------------------------------------------------------------------

    def fail(self, task: dict, message: str) -> None:
        """End a task as failed, and restore its image. Repeatable. Stores that did not respond are recorded in the row."""
        id = task["image_id"]
        left = self._undo(task, id) if id is not None else []
        self.service.db.transact(self._failed, task, message, left)

    def _failed(self, connection, task: dict, message: str, left) -> None:
        connection.execute(sa.update(TABLE).where(TABLE.c.id == task["id"], UNDONE).values(
            status="failure", updated_at=db.now(), expires_at=db.now() + KEPT, message=message))
        with contextlib.suppress(errors.NotFound, errors.InvalidState):  # deleted meanwhile, on request
            if task["image_id"] is not None:
                self._put_back(connection, task, images.any_row(connection, task["image_id"]), left)

    def _put_back(self, connection, task: dict, row: dict, left: list[str]) -> None:
        known = row["progress"] or {}
        if task["type"] == "location_import":
            self._unhashed(connection, row)
        elif row["status"] == "importing":
            progress = {"to": [], "failed": known.get("failed") or task["input"]["backend"], "left": left}
            images.move(connection, row["id"], "import_failed", size=None, progress=progress)
        elif known:
            failed = sorted({*known.get("failed", []), *known.get("to", [])})
            images.update(connection, row["id"], {"progress": {"to": [], "failed": failed, "left": left}})

    def _undo(self, task: dict, id: str) -> list[str]:
        """Delete the data that the import stored; returns the stores that did not respond."""
        self.service.incoming.drop(id)
        self.service.incoming.part(id).with_suffix(".new").unlink(missing_ok=True)
        with self.service.db.reader() as connection:
            try:
                row = images.any_row(connection, id)
            except errors.NotFound:
                row = None
        held = set(locations.store_names(row)) if row is not None and row["status"] != "importing" else set()
        if task["input"]["import_req"]["method"]["name"] == "glance-direct" and not held:
            self.service.incoming.unstage(id)
        return self.service.stores.delete_data(id, [name for name in task["input"]["backend"] if name not in held])

    @staticmethod
    def _unhashed(connection, row: dict) -> None:
        """Reset an image whose location could not be read, or does not match. The location is kept, as in OpenStack."""
        if row["status"] == "importing":
            images.move(connection, row["id"], "import_failed", size=None)
        elif row["os_hash_value"] is None:
            images.update(connection, row["id"], {"os_hash_algo": None})

    def clean(self) -> None:
        """End tasks whose process has died, and delete the rows of those that ended two days ago."""
        limit = db.now() - datetime.timedelta(seconds=STALE_S)
        with self.service.db.reader() as connection:
            stale = rows.many(connection, sa.select(TABLE).where(UNDONE, TABLE.c.updated_at < limit))
        for task in stale:
            self.fail(task, "The service was stopped during the import.")
        with self.service.db.writer() as connection:
            connection.execute(sa.delete(TABLE).where(TABLE.c.expires_at < db.now()))


def _hash_of(image: dict) -> str:
    """The hash by which two reads of an image are compared."""
    return "os_hash_value" if image["os_hash_algo"] == "sha512" else "checksum"
