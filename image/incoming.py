"""Incoming data: written to this host's disk first, where it is hashed and inspected before it is put into a store."""

import contextlib
import hashlib
import os
import pathlib
import time

from common import errors, native
from image.stores.base import CHUNK, Source, unwritten

# Bytes that a native thread hashes and writes at once: switching threads has a cost, and each upload uses this much
# memory.
_TURN = 4 * CHUNK


class Hashes:
    """The hashes and the size of an image, calculated in one pass. :param algorithm: of ``os_hash_value``"""

    def __init__(self, algorithm: str = "sha512"):
        self.md5, self.algorithm, self.long, self.size = hashlib.md5(usedforsecurity=False), algorithm, hashlib.new(algorithm), 0

    def update(self, chunk: bytes) -> None:
        self.size += len(chunk)
        self.md5.update(chunk)
        self.long.update(chunk)

    def read(self, source, limit: int = 1 << 62, wanted=lambda: True) -> None:
        """Read a whole stream. :raises StorageFull: it is larger than ``limit``; :raises Superseded: ``wanted``
        returned False"""
        while chunks := _turn(source):
            native.execute(_take, None, self, chunks)
            if self.size > limit:
                raise errors.StorageFull(f"The image is larger than {limit} bytes.")
            if not wanted():
                raise errors.Superseded()

    def facts(self) -> dict:
        """{"size", "checksum" (MD5), "os_hash_algo", "os_hash_value"}"""
        return {"size": self.size, "checksum": self.md5.hexdigest(), "os_hash_algo": self.algorithm,
                "os_hash_value": self.long.hexdigest()}


class Incoming:
    """A directory: ``<id>.part`` is arriving or being prepared, ``staging/<id>`` waits for its import."""

    def __init__(self, path):
        self.path = pathlib.Path(path)
        self.path.mkdir(parents=True, exist_ok=True)

    def part(self, image_id: str) -> pathlib.Path:
        if not all(c in "0123456789abcdef-" for c in image_id.lower()):
            raise errors.NotFound(resource="image", id=image_id)
        return self.path / f"{image_id}.part"

    def add(self, image_id: str, source, limit: int) -> dict:
        """Write a stream to ``.part`` and hash it in the same pass, in constant memory.

        :param source: has ``read(n)``; b"" is its end
        :returns: as ``Hashes.facts``
        :raises StorageFull: the disk or ``limit`` is exceeded; nothing remains
        """
        hashes = Hashes()
        self._write(self.part(image_id), source, limit, hashes)
        return hashes.facts()

    @staticmethod
    def _write(path: pathlib.Path, source, limit: int, hashes: Hashes | None = None) -> int:
        """Write a stream to a file, and into ``hashes``; returns its size. Nothing remains of an incomplete one."""
        size = 0
        with contextlib.ExitStack() as undo:
            undo.callback(path.unlink, missing_ok=True)
            try:
                with open(path, "wb", buffering=0) as out:
                    while chunks := _turn(source):
                        size += sum(map(len, chunks))
                        if size > limit:
                            raise errors.StorageFull(f"The image is larger than {limit} bytes.")
                        native.execute(_take, out, hashes, chunks)
            except OSError as error:
                raise unwritten(error) from error
            undo.pop_all()
        return size

    def source(self, image_id: str, beat=None) -> Source:
        """The ``.part`` as a source for stores. :param beat: called as it is read; by default it updates the file's mtime"""
        path = self.part(image_id)
        return Source(path, beat or (lambda: os.utime(path)))

    def drop(self, image_id: str) -> None:
        self.part(image_id).unlink(missing_ok=True)

    def _staged(self, image_id: str) -> pathlib.Path:
        return self.path / "staging" / self.part(image_id).stem

    def stage(self, image_id: str, source, limit: int) -> int:
        """Store a stream until it is imported; returns its size. :raises StorageFull: as ``add``"""
        path = self._staged(image_id)
        path.parent.mkdir(exist_ok=True)
        return self._write(path, source, limit)

    def open_staged(self, image_id: str):
        try:
            return open(self._staged(image_id), "rb")
        except FileNotFoundError:
            raise errors.StepFailed(reason="The staged data no longer exists.") from None

    def unstage(self, image_id: str) -> None:
        self._staged(image_id).unlink(missing_ok=True)

    def staged(self) -> dict[str, float]:
        """{id: seconds since the last write} of staged data, complete or not."""
        return {p.name: time.time() - p.stat().st_mtime for p in (self.path / "staging").glob("*")}

    def parts(self) -> dict[str, float]:
        """{id: seconds since the last write} of arriving data."""
        found = {}
        for path in self.path.glob("*.part"):
            try:
                found[path.stem] = time.time() - path.stat().st_mtime
            except FileNotFoundError:
                continue  # it has just been deleted
        return found


def _turn(source) -> list[bytes]:
    """The next few chunks of a stream; none at the end."""
    chunks, size = [], 0
    while size < _TURN and (chunk := source.read(CHUNK)):
        chunks.append(chunk)
        size += len(chunk)
    return chunks


def _take(out, hashes: Hashes | None, chunks: list[bytes]) -> None:
    for chunk in chunks:
        view = memoryview(chunk)
        while out is not None and view:
            view = view[out.write(view):]
        if hashes is not None:
            hashes.update(chunk)
