"""Image cache of a host: images are downloaded once, verified, and shared by all servers with the same image.

Files are content-addressed: the name is the hash stated by the image service, and the format. So a wrong file is never used,
whatever happens to image ids. The sidecar ``<name>.json`` holds the size, time and inode of the file when its hash was last
verified; its own mtime is the time of the last use. A file that differs from its sidecar is hashed again before it is used, and
all are once after the agent starts.
"""

import collections.abc
import contextlib
import hashlib
import json
import logging
import os
import pathlib
import threading
import time

from common import errors, images, inspector, native, periodic
from common.shared_work import IsCancelled, SharedWork, never

LOG = logging.getLogger(__name__)
FORMATS = ("raw", "qcow2", "ami", "aki", "ari", "iso", "vhd", "vhdx", "vmdk", "vdi", "ploop")
_ALGORITHMS = ("sha512", "sha384", "sha256")
# A build may be about to use a file that another one downloaded, so younger files are kept, whatever the option says.
_MIN_AGE_S = 300.0


class ImageCache:
    """A directory of files. Several builds that need the same bytes wait for one download, which ends when none of them does.

    :param owner: (user, group) ids of the files; the group may read them
    """

    def __init__(self, path, rest, owner: tuple[int, int] | None = None):
        self.path, self.rest, self.owner = pathlib.Path(path), rest, owner
        self.path.mkdir(parents=True, exist_ok=True, mode=0o711)
        self.path.chmod(0o711)  # guests open files in it by their names
        self._locks: dict[str, threading.Lock] = {}
        self._works: dict[tuple, SharedWork] = {}
        self._guard = threading.Lock()
        for left in [*self.path.glob("*.part"), *self.path.glob("*.new")]:
            left.unlink(missing_ok=True)  # partial downloads of a former agent process

    def ensure(self, image: dict, project_id: str | None, is_cancelled: IsCancelled = never) -> str:
        """The path of an image's bytes, downloaded if need be.

        :param image: {"id", "disk_format", "os_hash_algo", "os_hash_value"} as the API found it with its user's rights; of an
            older server's kernel or ramdisk the id alone
        :param project_id: for whom; asked of the image service where only the id is known, and before each download
        :param is_cancelled: whether nobody needs it any more
        :raises StepFailed: it is not there for this project, the bytes are not what they should be, or the disk is full
        :raises Superseded: ``is_cancelled`` said so
        """
        def work(shared: SharedWork) -> str:
            if not image.get("os_hash_value"):
                return self._fetch_unhashed(image, project_id, shared)

            def fetch(target: pathlib.Path) -> None:
                shared.check()  # another download of the same bytes may have been waited for
                LOG.info("fetching image %s", image["id"])
                images.fetch(self.rest, image, target, project_id, shared)
            return self._stored(_name(image), fetch)
        # Only who asks for the same with the same rights may share what comes of it: it may be a refusal.
        return self._shared((image["id"], image.get("os_hash_value"), image.get("disk_format"), project_id), work, is_cancelled)

    def _shared(self, key: tuple, work: collections.abc.Callable[[SharedWork], str], is_cancelled: IsCancelled) -> str:
        with self._guard:
            shared = self._works.get(key)
            if shared is None or not shared.join():
                shared = self._works[key] = SharedWork(work)
                shared.join()
        try:
            return shared.wait(is_cancelled)
        finally:
            with self._guard:
                if self._works.get(key) is shared and shared.over():
                    del self._works[key]

    def adopt(self, name: str, fetch) -> str:
        """The path of a file with a name of this cache, fetched from elsewhere if it is missing.

        :param fetch: (path) -> None; writes it
        :raises StepFailed: the name is invalid, the file does not match it, or QEMU is not to see it, such as one that refers to
            another file: the other host may be broken
        """
        algorithm, _, rest = name.partition("-")
        value, _, kind = rest.partition(".")
        if name != _name({"id": name, "os_hash_algo": algorithm, "os_hash_value": value, "disk_format": kind}):
            raise errors.StepFailed(reason="A file of another host's image cache has a name that is none.")

        def fetch_and_check(target: pathlib.Path) -> None:
            partial = self.path / f"{name}.part"
            try:
                fetch(partial)
                if not self._matches(partial):
                    raise errors.StepFailed(reason="A file of another host's image cache has other bytes than its name says.")
                inspector.check(partial, kind)
                os.replace(partial, target)
            except inspector.UnsafeImage as error:
                raise errors.StepFailed(reason=f"A file of another host's image cache was refused: {error}") from error
            finally:
                partial.unlink(missing_ok=True)
        return self._stored(name, fetch_and_check)

    def _stored(self, name: str, fetch: collections.abc.Callable[[pathlib.Path], None]) -> str:
        """The path of a file that has its name by its bytes. ``fetch`` writes it where it is missing or damaged."""
        with self._lock(name):
            target = self.path / name
            if not self._is_valid(target):
                fetch(target)
                self._write_sidecar(target)
            os.utime(_sidecar(target))
            return str(target)

    def _fetch_unhashed(self, image: dict, project_id: str | None, shared: SharedWork) -> str:
        """One whose hash is not known before it has come: nothing says which file has its bytes."""
        with self._lock(image["id"]):
            arrived = self.path / f"{image['id']}.new"
            try:
                found = images.fetch(self.rest, image, arrived, project_id, shared)
                target = self.path / _name(found)
                with self._lock(target.name):
                    if not self._is_valid(target):
                        os.replace(arrived, target)
                        self._write_sidecar(target)
                    os.utime(_sidecar(target))
            finally:
                arrived.unlink(missing_ok=True)
            return str(target)

    @contextlib.contextmanager
    def _lock(self, name: str):
        with self._guard:
            lock = self._locks.setdefault(name, threading.Lock())
        with lock:
            yield

    def _is_valid(self, target: pathlib.Path) -> bool:
        """Whether the file is there and has the bytes that its name says; the caller holds its lock."""
        try:
            facts = _facts(target)
        except FileNotFoundError:
            return False
        if _read_sidecar(target) == facts:
            return True
        if not self._matches(target):
            LOG.error("%s is corrupt, fetching it again", target)
            return False
        self._write_sidecar(target)
        return True

    def _matches(self, target: pathlib.Path) -> bool:
        algorithm, _, rest = target.name.partition("-")
        return native.execute(_hash_of, target, algorithm) == rest.partition(".")[0]

    def _write_sidecar(self, target: pathlib.Path) -> None:
        target.chmod(0o640 if self.owner else 0o644)
        if self.owner:
            os.chown(target, *self.owner)
        note = _sidecar(target)
        partial = note.with_suffix(".new")
        partial.write_text(json.dumps(_facts(target)))
        os.replace(partial, note)

    def names(self) -> list[str]:
        return sorted(p.name for p in self.path.iterdir() if p.is_file() and p.suffix not in (".json", ".part", ".new"))

    def verify(self, stop: threading.Event) -> None:
        """Hash all files. A corrupt one loses its sidecar and is downloaded again when it is needed."""
        for name in [n for n in self.names() if n.partition("-")[0] in _ALGORITHMS]:
            if stop.is_set():
                return
            target = self.path / name
            if not target.exists() or self._matches(target):
                continue
            with self._lock(name):  # it may have been replaced while it was read
                if target.exists() and not self._matches(target):
                    LOG.error("%s is corrupt", target)
                    _sidecar(target).unlink(missing_ok=True)

    def prune(self, in_use: set[str], minimum_age_s: float) -> list[str]:
        """Remove files that no guest is based on and that were not used for ``minimum_age_s``; returns their names.

        :param in_use: paths, read before this is called
        """
        gone, used = [], {os.path.basename(p) for p in in_use}
        for name in self.names():
            if name in used:
                continue
            with self._lock(name):
                target = self.path / name
                with contextlib.suppress(FileNotFoundError):
                    note = _sidecar(target)
                    age = time.time() - (note if note.exists() else target).stat().st_mtime
                    if age > max(minimum_age_s, _MIN_AGE_S):
                        target.unlink()
                        note.unlink(missing_ok=True)
                        gone.append(name)
        return gone


def _name(image: dict) -> str:
    algorithm, value, kind = image.get("os_hash_algo") or "sha512", image["os_hash_value"], image["disk_format"]
    if algorithm not in _ALGORITHMS or kind not in FORMATS or not (value.isascii() and value.isalnum()):
        raise errors.StepFailed(reason=f"Image {image['id']} cannot be cached: its hash or format is unknown.")
    return f"{algorithm}-{value.lower()}.{kind}"


def _sidecar(target: pathlib.Path) -> pathlib.Path:
    return target.with_name(target.name + ".json")


def _facts(target: pathlib.Path) -> dict:
    found = target.stat()
    return {"size": found.st_size, "mtime_ns": found.st_mtime_ns, "inode": found.st_ino}


def _read_sidecar(target: pathlib.Path) -> dict | None:
    try:
        return json.loads(_sidecar(target).read_text())
    except (FileNotFoundError, ValueError):
        return None


def _hash_of(target: pathlib.Path, algorithm: str) -> str:
    with open(target, "rb") as data:
        return hashlib.file_digest(data, algorithm).hexdigest()


class CacheCleanup(periodic.Periodic):
    """Check the files once, and then take away now and then what nobody needs."""

    interval_s = 600.0

    def __init__(self, agent):
        self.agent, self._verified = agent, False

    def run_once(self) -> None:
        agent, conf = self.agent, self.agent.conf.image_cache
        if not self._verified:
            agent.images.verify(agent.stop_event)
            self._verified = True
        if conf.remove_unused_base_images:
            gone = agent.images.prune(agent.driver.base_images(), conf.remove_unused_original_minimum_age_seconds)
            if gone:
                LOG.info("removed unused images from the cache: %s", ", ".join(gone))
