"""Images on this host: fetched once, checked, shared by all servers that start from them."""

import hashlib
import os
import pathlib
import threading

from common import errors, inspector

CHUNK = 1 << 20


class ImageCache:
    """Files ``<path>/<sha1 of the image id>``. Several builds that need one image wait for one download."""

    def __init__(self, path, rest):
        self.path, self.rest = pathlib.Path(path), rest
        self.path.mkdir(parents=True, exist_ok=True, mode=0o755)
        self._locks: dict[str, threading.Lock] = {}
        self._guard = threading.Lock()

    def file(self, image_id: str) -> pathlib.Path:
        return self.path / hashlib.sha1(image_id.encode(), usedforsecurity=False).hexdigest()

    def ensure(self, image: dict) -> str:
        """The path of an image's bytes, downloaded if need be.

        :param image: {"id", "disk_format", "os_hash_value"} as of when the server was asked for; for a kernel or
            ramdisk just its id, the rest is asked of the image service
        :raises StepFailed: the bytes are not what they should be, or the disk is full
        """
        with self._guard:
            lock = self._locks.setdefault(image["id"], threading.Lock())
        with lock:
            target = self.file(image["id"])
            if not target.exists():
                self._fetch(image, target)
            os.utime(target)
            return str(target)

    def _fetch(self, image: dict, target: pathlib.Path) -> None:
        if "disk_format" not in image:
            image = self.rest.request("GET", "image", f"/v2/images/{image['id']}")
        part = target.with_suffix(".part")
        digest = hashlib.sha512()
        try:
            response = self.rest.request("GET", "image", f"/v2/images/{image['id']}/file", stream=True, timeout_s=60)
            with open(part, "wb") as out:
                for chunk in response.stream(CHUNK):
                    digest.update(chunk)
                    out.write(chunk)
            response.release_conn()
            if image.get("os_hash_value") and digest.hexdigest() != image["os_hash_value"]:
                raise errors.StepFailed(reason=f"Image {image['id']} arrived damaged: its checksum is wrong.")
            inspector.check(part, image["disk_format"])
            part.chmod(0o644)
            os.replace(part, target)
        except errors.NotFound as error:
            raise errors.StepFailed(reason=f"Image {image['id']} could not be found.") from error
        except inspector.Hostile as error:
            raise errors.StepFailed(reason=f"Image {image['id']} was refused: {error}") from error
        except OSError as error:
            raise errors.StepFailed(reason="The host has no space for the image.", internal=str(error)) from error
        finally:
            part.unlink(missing_ok=True)
