"""Where image bytes live. One driver so far: files, one a image, in one directory."""

import hashlib
import os
import pathlib
import time

from common import errors

CHUNK = 1 << 20


class FileStore:
    """Bytes of an image as ``<path>/<id>``; ``<id>.part`` while they arrive."""

    def __init__(self, path):
        self.path = pathlib.Path(path)
        self.path.mkdir(parents=True, exist_ok=True)

    def _file(self, image_id: str) -> pathlib.Path:
        if not all(c in "0123456789abcdef-" for c in image_id):
            raise errors.NotFound(resource="image", id=image_id)
        return self.path / image_id

    def part(self, image_id: str) -> pathlib.Path:
        return self._file(image_id).with_suffix(".part")

    def add(self, image_id: str, source, limit: int) -> dict:
        """Write a stream to ``.part`` and hash it in the same pass, in constant memory.

        :param source: has ``read(n)``; b"" ends it
        :returns: {"size", "checksum" (MD5), "os_hash_algo", "os_hash_value" (SHA-512)}
        :raises StorageFull: the disk or ``limit`` is exceeded; nothing is left behind
        """
        md5, sha = hashlib.md5(usedforsecurity=False), hashlib.sha512()
        size = self._write(self.part(image_id), source, limit, md5, sha)
        return {"size": size, "checksum": md5.hexdigest(), "os_hash_algo": "sha512", "os_hash_value": sha.hexdigest()}

    @staticmethod
    def _write(path: pathlib.Path, source, limit: int, *hashes) -> int:
        """Write a stream to a file, and into ``hashes``; bytes. Nothing is left of one that breaks off."""
        size = 0
        try:
            with open(path, "wb") as out:
                while chunk := source.read(CHUNK):
                    size += len(chunk)
                    if size > limit:
                        raise errors.StorageFull(f"The image is larger than {limit} bytes.")
                    for each in hashes:
                        each.update(chunk)
                    out.write(chunk)
        except OSError as error:
            path.unlink(missing_ok=True)
            raise errors.StorageFull("There is not enough space in the image store.", internal=str(error)) from error
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        return size

    def _staged(self, image_id: str) -> pathlib.Path:
        return self.path / "staging" / self._file(image_id).name

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

    def commit(self, image_id: str) -> None:
        os.replace(self.part(image_id), self._file(image_id))

    def open(self, image_id: str):
        try:
            return open(self._file(image_id), "rb")
        except FileNotFoundError:
            raise errors.NotFound(f"The data of image {image_id} is missing from the store.") from None

    def delete(self, image_id: str) -> None:
        self._file(image_id).unlink(missing_ok=True)
        self.part(image_id).unlink(missing_ok=True)

    def stored(self) -> list[str]:
        """Ids that have a complete file."""
        return [p.name for p in self.path.iterdir() if p.is_file() and p.suffix != ".part"]

    def stale_parts(self, older_than_s: float) -> list[str]:
        """Ids whose upload has not written for that long."""
        limit = time.time() - older_than_s
        return [p.stem for p in self.path.glob("*.part") if p.stat().st_mtime < limit]
