"""Copies of images whose store is far away, in a directory that several processes may share without locks.

``<id>`` is a whole copy, ``<id>.hits`` grows by a byte at each use and so tells when the last one was, ``incomplete/`` has
what is being written, each writer's under a name of its own, and ``queue/<id>`` asks for one. A copy appears by a rename,
when all of its bytes came and are as many as they should be; of two writers the last wins, with the same bytes.
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
    """:param path: its directory; empty: there is none, and nothing is kept"""

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

    def keep(self, row: dict, source):
        """The same stream, of which a copy is made while it is read from its start to its end."""
        if self.path is None or not row["size"] or row["size"] > self.max_bytes:
            return source
        return _Copying(self, row, source)

    def new(self, image_id: str) -> pathlib.Path:
        assert self.path is not None
        return self.path / "incomplete" / f"{image_id}.{context.new_hex()}"

    def take(self, row: dict, part: pathlib.Path) -> None:
        """A whole copy comes into the cache, and as many others go as there is no room for."""
        assert self.path is not None
        os.replace(part, self.path / row["id"])
        (self.path / "queue" / row["id"]).unlink(missing_ok=True)
        self.prune()

    def cached(self) -> list[dict]:
        """What is there, that which was used longest ago first."""
        if self.path is None:
            return []
        found = []
        for path in self.path.iterdir():
            try:
                if not values.is_uuid(path.name):
                    continue  # a directory of ours, or somebody else's file: it is not ours to forget
                there, hits = path.stat(), path.with_suffix(".hits")
                used = hits.stat() if hits.exists() else None
            except FileNotFoundError:
                continue  # it was just dropped
            found.append({"image_id": path.name, "size": there.st_size, "last_modified": there.st_mtime,
                          "hits": used.st_size if used else 0, "last_accessed": used.st_mtime if used else 0})
        return sorted(found, key=lambda each: max(each["last_accessed"], each["last_modified"]))

    def queued(self) -> list[str]:
        """Ids of images that were asked for, in that order."""
        if self.path is None:
            return []
        return [path.name for path, _ in sorted(_ages(self.path / "queue"), key=lambda each: -each[1])]

    def ask(self, image_id: str) -> None:
        assert self.path is not None
        (self.path / "queue" / image_id).touch()

    def drop(self, image_id: str) -> bool:
        """Whether it was there, as a copy or a wish. Who reads the copy reads it to its end."""
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
        """Forget images that are not there any more, and copies that nobody writes any more."""
        if self.path is None:
            return
        for image_id in {each["image_id"] for each in self.cached()} | set(self.queued()):
            if image_id not in known:
                self.drop(image_id)
        for part, age_s in _ages(self.path / "incomplete"):
            if age_s > STALE_S:
                part.unlink(missing_ok=True)


def _ages(directory: pathlib.Path) -> list[tuple[pathlib.Path, float]]:
    """Files, and the seconds since they were last written to. Others may take some away meanwhile."""
    found = []
    for path in directory.iterdir():
        with contextlib.suppress(FileNotFoundError):
            found.append((path, time.time() - path.stat().st_mtime))
    return found


class _Copying:
    """A stream that is written to the cache as it is read. That it cannot be, its reader is not told."""

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
        self.cache.take(self.row, self.part)

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
    """Fetch what was asked for. Several processes may fetch the same at once, and all come to the same."""

    interval_s = 5.0

    def __init__(self, service):
        self.service = service

    def run_once(self) -> None:
        for image_id in self.service.cache.queued():
            try:
                self._fetch(image_id)
            except (errors.Error, OSError) as error:
                LOG.warning("image %s could not be fetched into the cache: %s", image_id, error)
                self.service.cache.drop(image_id)

    def _fetch(self, image_id: str) -> None:
        svc = self.service
        with svc.db.reader() as connection:
            row = images.any_row(connection, image_id)
        with contextlib.closing(svc.cache.keep(row, locations.open_first(row, svc.stores, svc.conf.image))) as stream:
            while stream.read(CHUNK):
                continue
        if image_id in svc.cache.queued():  # whole copies take the wish with them
            raise errors.StepFailed(reason="what came is not the image, or too large to be kept")
