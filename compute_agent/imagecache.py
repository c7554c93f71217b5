"""Images on this host: fetched once, checked, shared by all servers that start from them."""

import hashlib
import os
import pathlib
import threading

from common import images


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
                images.fetch(self.rest, image, target)
                target.chmod(0o644)
            os.utime(target)
            return str(target)
