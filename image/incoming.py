"""Data that arrives: on this host's disk first, where it is hashed and looked at before any store has it."""

import contextlib
import hashlib
import os
import pathlib
import time

from common import errors, native
from image.stores.base import CHUNK, Source, unwritten

# Bytes that a native thread hashes and writes at once: a hand-over costs, and each upload has so much in memory.
_TURN = 4 * CHUNK


class Hashes:
    """What an image's row says of its bytes, found in one pass. :param algorithm: of ``os_hash_value``"""

    def __init__(self, algorithm: str = "sha512"):
        self.md5, self.algorithm, self.long, self.size = hashlib.md5(usedforsecurity=False), algorithm, hashlib.new(algorithm), 0

    def update(self, chunk: bytes) -> None:
        self.size += len(chunk)
        self.md5.update(chunk)
        self.long.update(chunk)

    def read(self, source, limit: int = 1 << 62, wanted=lambda: True) -> None:
        """A whole stream. :raises StorageFull: it is larger than ``limit``; :raises Superseded: it is not ``wanted`` any more"""
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
    """A directory: ``<id>.part`` is what arrives or is being prepared, ``staging/<id>`` what waits for its import."""

    def __init__(self, path):
        self.path = pathlib.Path(path)
        self.path.mkdir(parents=True, exist_ok=True)

    def part(self, image_id: str) -> pathlib.Path:
        if not all(c in "0123456789abcdef-" for c in image_id.lower()):
            raise errors.NotFound(resource="image", id=image_id)
        return self.path / f"{image_id}.part"

    def add(self, image_id: str, source, limit: int) -> dict:
        """Write a stream to ``.part`` and hash it in the same pass, in constant memory.

        :param source: has ``read(n)``; b"" ends it
        :returns: as ``Hashes.facts``
        :raises StorageFull: the disk or ``limit`` is exceeded; nothing is left behind
        """
        hashes = Hashes()
        self._write(self.part(image_id), source, limit, hashes)
        return hashes.facts()

    @staticmethod
    def _write(path: pathlib.Path, source, limit: int, hashes: Hashes | None = None) -> int:
        """Write a stream to a file, and into ``hashes``; bytes. Nothing is left of one that breaks off."""
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
        """What arrived, as stores take it. :param beat: called as it is read; by default the file shows that it is in use"""
        path = self.part(image_id)
        return Source(path, beat or (lambda: os.utime(path)))

    def drop(self, image_id: str) -> None:
        self.part(image_id).unlink(missing_ok=True)

    def _staged(self, image_id: str) -> pathlib.Path:
        return self.path / "staging" / self.part(image_id).stem

    def stage(self, image_id: str, source, limit: int) -> int:
        """Keep a stream until it is imported; bytes. :raises StorageFull: as ``add``"""
        path = self._staged(image_id)
        path.parent.mkdir(exist_ok=True)
        return self._write(path, source, limit)

    def open_staged(self, image_id: str):
        try:
            return open(self._staged(image_id), "rb")
        except FileNotFoundError:
            raise errors.StepFailed(reason="The staged data is gone.") from None

    def unstage(self, image_id: str) -> None:
        self._staged(image_id).unlink(missing_ok=True)

    def staged(self) -> dict[str, float]:
        """{id: seconds since it was last written to} of what is staged, whole or not."""
        return {p.name: time.time() - p.stat().st_mtime for p in (self.path / "staging").glob("*")}

    def parts(self) -> dict[str, float]:
        """{id: seconds since it was last written to} of what is arriving."""
        found = {}
        for path in self.path.glob("*.part"):
            try:
                found[path.stem] = time.time() - path.stat().st_mtime
            except FileNotFoundError:
                continue  # it was just dropped
        return found


def _turn(source) -> list[bytes]:
    """The next few chunks of a stream; none at its end."""
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
