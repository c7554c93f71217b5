"""Images on this host: fetched once, checked, shared by all servers that start from the same bytes.

A file is known by what is in it: its name is the hash that the image service states, and the format in which it is read.
So nothing is ever served for an image that has other bytes, whatever becomes of ids. Beside each file stands a note,
``<name>.json``: the size, time and inode that it had when its hash was last right; the note's own time is that of its last
use. A file that differs from its note is hashed again before it is used, each once after the agent starts.
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

from common import errors, images, native, periodic
from common.shared_work import Hurry, SharedWork, never

LOG = logging.getLogger(__name__)
FORMATS = ("raw", "qcow2", "ami", "aki", "ari", "iso", "vhd", "vhdx", "vmdk", "vdi", "ploop")
_ALGORITHMS = ("sha512", "sha384", "sha256")
# A build may be about to use what another fetched: it is not taken away sooner, whatever the option says.
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
            left.unlink(missing_ok=True)  # of an agent that died while it fetched

    def ensure(self, image: dict, project_id: str | None, hurry: Hurry = never) -> str:
        """The path of an image's bytes, downloaded if need be.

        :param image: {"id", "disk_format", "os_hash_algo", "os_hash_value"} as the API found it with its user's rights; of an
            older server's kernel or ramdisk the id alone
        :param project_id: for whom; asked of the image service where only the id is known, and before each download
        :param hurry: whether nobody needs it any more
        :raises StepFailed: it is not there for this project, the bytes are not what they should be, or the disk is full
        :raises Superseded: ``hurry`` said so
        """
        def work(shared: SharedWork) -> str:
            if not image.get("os_hash_value"):
                return self._fetched_anew(image, project_id, shared)

            def fetch(target: pathlib.Path) -> None:
                shared.check()  # another download of the same bytes may have been waited for
                LOG.info("fetching image %s", image["id"])
                images.fetch(self.rest, image, target, project_id, shared)
            return self._kept(_name(image), fetch)
        # Only who asks for the same with the same rights may share what comes of it: it may be a refusal.
        return self._shared((image["id"], image.get("os_hash_value"), image.get("disk_format"), project_id), work, hurry)

    def _shared(self, key: tuple, work: collections.abc.Callable[[SharedWork], str], hurry: Hurry) -> str:
        with self._guard:
            shared = self._works.get(key)
            if shared is None or not shared.join():
                shared = self._works[key] = SharedWork(work)
                shared.join()
        try:
            return shared.wait(hurry)
        finally:
            with self._guard:
                if self._works.get(key) is shared and shared.over():
                    del self._works[key]

    def adopt(self, name: str, fetch) -> str:
        """The path of a file that has a name of this cache, fetched from elsewhere if need be.

        :param fetch: (path) -> None; writes it
        :raises StepFailed: it has other bytes than its name says, or its name is none
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
                os.replace(partial, target)
            finally:
                partial.unlink(missing_ok=True)
        return self._kept(name, fetch_and_check)

    def _kept(self, name: str, fetch: collections.abc.Callable[[pathlib.Path], None]) -> str:
        """The path of a file that has its name by its bytes. ``fetch`` writes it where it is missing or damaged."""
        with self._lock(name):
            target = self.path / name
            if not self._right(target):
                fetch(target)
                self._note(target)
            os.utime(_note_of(target))
            return str(target)

    def _fetched_anew(self, image: dict, project_id: str | None, shared: SharedWork) -> str:
        """One whose hash is not known before it has come: nothing says which file has its bytes."""
        with self._lock(image["id"]):
            arrived = self.path / f"{image['id']}.new"
            try:
                found = images.fetch(self.rest, image, arrived, project_id, shared)
                target = self.path / _name(found)
                with self._lock(target.name):
                    if not self._right(target):
                        os.replace(arrived, target)
                        self._note(target)
                    os.utime(_note_of(target))
            finally:
                arrived.unlink(missing_ok=True)
            return str(target)

    @contextlib.contextmanager
    def _lock(self, name: str):
        with self._guard:
            lock = self._locks.setdefault(name, threading.Lock())
        with lock:
            yield

    def _right(self, target: pathlib.Path) -> bool:
        """Whether the file is there and has the bytes that its name says; the caller holds its lock."""
        try:
            facts = _facts(target)
        except FileNotFoundError:
            return False
        if _read_note(target) == facts:
            return True
        if not self._matches(target):
            LOG.error("%s is corrupt and is fetched again", target)
            return False
        self._note(target)
        return True

    def _matches(self, target: pathlib.Path) -> bool:
        algorithm, _, rest = target.name.partition("-")
        return native.execute(_hash_of, target, algorithm) == rest.partition(".")[0]

    def _note(self, target: pathlib.Path) -> None:
        target.chmod(0o640 if self.owner else 0o644)
        if self.owner:
            os.chown(target, *self.owner)
        note = _note_of(target)
        partial = note.with_suffix(".new")
        partial.write_text(json.dumps(_facts(target)))
        os.replace(partial, note)

    def names(self) -> list[str]:
        return sorted(p.name for p in self.path.iterdir() if p.is_file() and p.suffix not in (".json", ".part", ".new"))

    def verify(self, stop: threading.Event) -> None:
        """Hash every file. One that has other bytes loses its note, and is fetched anew by whoever needs it next."""
        for name in [n for n in self.names() if n.partition("-")[0] in _ALGORITHMS]:
            if stop.is_set():
                return
            target = self.path / name
            if not target.exists() or self._matches(target):
                continue
            with self._lock(name):  # it may have been replaced while it was read
                if target.exists() and not self._matches(target):
                    LOG.error("%s is corrupt", target)
                    _note_of(target).unlink(missing_ok=True)

    def prune(self, in_use: set[str], minimum_age_s: float) -> list[str]:
        """Remove files that no guest is based on and that nobody asked for in ``minimum_age_s``; their names.

        :param in_use: paths, read before this is called
        """
        gone, used = [], {os.path.basename(p) for p in in_use}
        for name in self.names():
            if name in used:
                continue
            with self._lock(name):
                target = self.path / name
                with contextlib.suppress(FileNotFoundError):
                    note = _note_of(target)
                    age = time.time() - (note if note.exists() else target).stat().st_mtime
                    if age > max(minimum_age_s, _MIN_AGE_S):
                        target.unlink()
                        note.unlink(missing_ok=True)
                        gone.append(name)
        return gone


def _name(image: dict) -> str:
    algorithm, value, kind = image.get("os_hash_algo") or "sha512", image["os_hash_value"], image["disk_format"]
    if algorithm not in _ALGORITHMS or kind not in FORMATS or not (value.isascii() and value.isalnum()):
        raise errors.StepFailed(reason=f"Image {image['id']} cannot be kept on the host: its hash or format is not known.")
    return f"{algorithm}-{value.lower()}.{kind}"


def _note_of(target: pathlib.Path) -> pathlib.Path:
    return target.with_name(target.name + ".json")


def _facts(target: pathlib.Path) -> dict:
    found = target.stat()
    return {"size": found.st_size, "mtime_ns": found.st_mtime_ns, "inode": found.st_ino}


def _read_note(target: pathlib.Path) -> dict | None:
    try:
        return json.loads(_note_of(target).read_text())
    except (FileNotFoundError, ValueError):
        return None


def _hash_of(target: pathlib.Path, algorithm: str) -> str:
    with open(target, "rb") as data:
        return hashlib.file_digest(data, algorithm).hexdigest()


class Keeper(periodic.Periodic):
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
                LOG.info("removed from the image cache: %s", ", ".join(gone))
