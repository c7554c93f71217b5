"""Local copies of images from remote stores, in a directory that several processes can share without locks.

``<id>`` is a complete copy. ``<id>.hits`` grows by a byte per use, so that its mtime is the time of the last use.
``incomplete/`` contains files being written, with a name of its own for each writer. ``queue/<id>`` requests a copy.
A copy is renamed into place after its size and hash have been verified; of two writers the last wins, with the same
data.
"""

import contextlib
import hashlib
import io
import logging
import os
import pathlib
import time

from common import context, errors, native, periodic, values
from image import locations
from image.db import images
from image.stores.base import CHUNK

LOG = logging.getLogger(__name__)
STALE_S = 3600.0


class Cache:
    """:param path: its directory; empty: the cache is disabled"""

    def __init__(self, path: str, max_bytes: int):
        self.path, self.max_bytes = (pathlib.Path(path) if path else None), max_bytes
        if self.path is not None:
            for each in (self.path, self.path / "incomplete", self.path / "queue"):
                each.mkdir(parents=True, exist_ok=True)

    def open(self, row: dict):
        """A copy of an image, or None."""
        if self.path is None:
            return None
        try:
            found = open(self.path / row["id"], "rb")
        except FileNotFoundError:
            return None
        if os.fstat(found.fileno()).st_size != row["size"]:
            found.close()
            return None
        with open(self.path / f"{row['id']}.hits", "ab") as hits:
            hits.write(b".")
        return found

    def copying(self, row: dict, source):
        """The same stream; it is copied to the cache while it is read from start to end."""
        if self.path is None or not row["size"] or row["size"] > self.max_bytes:
            return source
        return _Copying(self, row, source)

    def new(self, image_id: str) -> pathlib.Path:
        assert self.path is not None
        return self.path / "incomplete" / f"{image_id}.{context.new_hex()}"

    def add(self, row: dict, part: pathlib.Path) -> None:
        """Move a complete copy into the cache, and remove the least recently used copies if it is too large."""
        assert self.path is not None
        os.replace(part, self.path / row["id"])
        (self.path / "queue" / row["id"]).unlink(missing_ok=True)
        self.prune()

    def cached(self) -> list[dict]:
        """The cached images, least recently used first."""
        if self.path is None:
            return []
        found = []
        for path in self.path.iterdir():
            try:
                if not values.is_uuid(path.name):
                    continue  # a directory, or another program's file, which must not be deleted
                there, hits = path.stat(), path.with_suffix(".hits")
                used = hits.stat() if hits.exists() else None
            except FileNotFoundError:
                continue  # it has just been removed
            found.append({"image_id": path.name, "size": there.st_size, "last_modified": there.st_mtime,
                          "hits": used.st_size if used else 0, "last_accessed": used.st_mtime if used else 0})
        return sorted(found, key=lambda each: max(each["last_accessed"], each["last_modified"]))

    def queued(self) -> list[str]:
        """Ids of requested images, oldest request first."""
        if self.path is None:
            return []
        return [path.name for path, _ in sorted(_ages(self.path / "queue"), key=lambda each: -each[1])]

    def ask(self, image_id: str) -> None:
        assert self.path is not None
        (self.path / "queue" / image_id).touch()

    def drop(self, image_id: str) -> bool:
        """Whether the image was cached or queued. Open copies can still be read to the end."""
        if self.path is None:
            return False
        there = [p for p in (self.path / image_id, self.path / "queue" / image_id) if p.exists()]
        for path in (*there, self.path / f"{image_id}.hits"):
            path.unlink(missing_ok=True)
        return bool(there)

    def clear(self, *, copies: bool, queue: bool) -> None:
        assert self.path is not None
        for image_id in self.queued() if queue else ():
            (self.path / "queue" / image_id).unlink(missing_ok=True)
        for each in self.cached() if copies else ():
            for name in (each["image_id"], each["image_id"] + ".hits"):
                (self.path / name).unlink(missing_ok=True)

    def prune(self) -> None:
        found = self.cached()
        size = sum(each["size"] for each in found)
        for each in found:
            if size <= self.max_bytes:
                return
            self.drop(each["image_id"])
            size -= each["size"]

    def clean(self, known: set[str]) -> None:
        """Remove copies of images that no longer exist, and incomplete files that are no longer written to."""
        if self.path is None:
            return
        for image_id in {each["image_id"] for each in self.cached()} | set(self.queued()):
            if image_id not in known:
                self.drop(image_id)
        for part, age_s in _ages(self.path / "incomplete"):
            if age_s > STALE_S:
                part.unlink(missing_ok=True)


def _ages(directory: pathlib.Path) -> list[tuple[pathlib.Path, float]]:
    """Files, and the seconds since they were last written to. Other processes may delete some meanwhile."""
    found = []
    for path in directory.iterdir():
        with contextlib.suppress(FileNotFoundError):
            found.append((path, time.time() - path.stat().st_mtime))
    return found


class _Copying:
    """A stream that is copied to the cache as it is read. Errors of the cache do not affect the reader."""

    def __init__(self, cache: Cache, row: dict, source):
        self.cache, self.row, self.source, self.size = cache, row, source, 0
        self.digest = hashlib.new(row["os_hash_algo"] or "sha512")
        self.part = cache.new(row["id"])
        self.out: io.BufferedWriter | None = open(self.part, "wb")

    def read(self, size: int) -> bytes:
        chunk = self.source.read(size)
        if self.out is not None:
            try:
                self.out.write(chunk)
                self.size += len(chunk)
                native.execute(self.digest.update, chunk)
                if self.size == self.row["size"]:
                    self._whole()
            except OSError as error:
                LOG.warning("image %s is not cached: %s", self.row["id"], error)
                self._give_up()
        return chunk

    def _whole(self) -> None:
        if self.row["os_hash_value"] not in (None, self.digest.hexdigest()):
            LOG.warning("image %s is not cached: the hash of its data is wrong", self.row["id"])
            self._give_up()
            return
        assert self.out is not None
        self.out.close()
        self.out = None
        self.cache.add(self.row, self.part)

    def seek(self, offset: int) -> None:
        if offset:
            self._give_up()
            self.source.seek(offset)

    def _give_up(self) -> None:
        if self.out is not None:
            self.out.close()
            self.out = None
        self.part.unlink(missing_ok=True)

    def close(self) -> None:
        if self.out is not None:
            self._give_up()
        self.source.close()


class Prefetcher(periodic.Periodic):
    """Download requested images into the cache. Several processes may download the same image, with the same result."""

    interval_s = 5.0

    def __init__(self, service):
        self.service = service

    def run_once(self) -> None:
        for image_id in self.service.cache.queued():
            try:
                self._fetch(image_id)
            except (errors.Error, OSError) as error:
                LOG.warning("image %s could not be copied to the cache: %s", image_id, error)
                self.service.cache.drop(image_id)

    def _fetch(self, image_id: str) -> None:
        svc = self.service
        with svc.db.reader() as connection:
            row = images.any_row(connection, image_id)
        with contextlib.closing(svc.cache.copying(row, locations.open_first(row, svc.stores, svc.conf.image))) as stream:
            while stream.read(CHUNK):
                continue
        if image_id in svc.cache.queued():  # a complete copy removes its request
            raise errors.StepFailed(reason="its data is wrong, or larger than the cache")
