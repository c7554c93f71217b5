"""Files of containers. All of a container's are in the directory of its server::

    disk                  its root file system: ext4, which this host made and the kernel alone writes
    range                 which users of the host its users are
    container/rootfs      where the disk is mounted while it may run
    container/config      the files of its config drive
    lower/disk            where the disk is mounted for a moment, with its users' own numbers, among them root's: nobody may pass

Nothing that a user made is ever mounted: the files of an image are unpacked into the disk by programs that have the rights of the
container's own root, who is nobody on the host.
"""

import contextlib
import os
import pathlib
import shutil
import subprocess

from common import errors, files, inspector
from common.periodic import wait_for
from compute_agent.virt import directories
from compute_agent.virt.libvirt.files import GIB, qemu_img
from compute_agent.virt.lxc import contents
from compute_agent.virt.lxc.namespaces import USERS, mount_mapped, run_confined, user_namespace
from compute_agent.virt.numbers import Numbers

INIT = "sbin/init"
RELEASE_S = 10
FULL_BLOCKS = 16  # that are free on a disk that is full
# A container has devices of its own, and may make none: those of an archive could not be unpacked.
_NO_DEVICES = ("--anchored", "--exclude=dev/*", "--exclude=./dev/*")
_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"


def _run(*words: str | os.PathLike) -> str:
    """:raises StepFailed: the program fails"""
    done = subprocess.run([os.fspath(w) for w in words], capture_output=True, text=True, timeout=300, stdin=subprocess.DEVNULL,
                          env={"PATH": _PATH, "LC_ALL": "C.UTF-8"})
    if done.returncode:
        full = "No space left" in done.stderr
        raise errors.StepFailed(reason="The host has no space for the disk." if full else
                                "The container's disk could not be used.", internal=f"{words[0]}: {done.stderr.strip()}")
    return done.stdout


class Disks:
    """
    :param path: of the servers' directories; :param state: as of ``files.traversable_directory``
    :param first: the lowest of the host's users that containers may have; :param count: for how many containers there are users
    """

    def __init__(self, path: pathlib.Path, state: str, first: int, count: int):
        self.path, self.state, self.first = path, state, first
        self._ranges = Numbers(path, "range", 0, count)

    def disk(self, uuid: str) -> pathlib.Path:
        return self.path / uuid / "disk"

    def root(self, uuid: str) -> pathlib.Path:
        return self.path / uuid / "container" / "rootfs"

    def _lower(self, uuid: str) -> pathlib.Path:
        return self.path / uuid / "lower" / "disk"

    def config(self, uuid: str) -> pathlib.Path:
        return self.path / uuid / "container" / "config"

    def first_user(self, uuid: str) -> int:
        """The host's user that is the container's root. Its other users follow."""
        return self.first + self._ranges.of(uuid) * USERS

    def prepare(self, instance: dict, image: str) -> None:
        """Create the disk from an image. Repeatable.

        :raises StepFailed: the image is none for a container, or too large for the flavor
        """
        uuid, disk = instance["uuid"], self.disk(instance["uuid"])
        files.traversable_directory(self.path / uuid, self.state)
        if disk.exists():
            return
        part = disk.with_suffix(".part")
        self.unmount(uuid)
        unpacked = self._raw(uuid, instance, image)
        try:
            self._format(part, self._size(instance, unpacked))
            self._mount(uuid, part)
            self._unpack(uuid, unpacked)
            self.unmount(uuid)
            part.rename(disk)
        finally:
            self.unmount(uuid)
            for left in (part, self._copy_of_image(uuid)):
                left.unlink(missing_ok=True)

    def _copy_of_image(self, uuid: str) -> pathlib.Path:
        return self.path / uuid / "image.raw"

    def _raw(self, uuid: str, instance: dict, image: str) -> pathlib.Path:
        """An image as an archive or a raw disk: itself, or a copy."""
        declared = instance["image_meta"]["disk_format"]
        header = inspector.check(image, declared)
        if header.format == "iso":
            raise errors.StepFailed(reason="A container cannot be made of a CD.")
        if header.format in ("raw", *inspector.OPAQUE):
            return pathlib.Path(image)
        wanted = instance["flavor"]["disk"] * GIB
        if wanted and header.virtual_bytes > wanted:
            raise errors.StepFailed(reason=f"The image needs {-(-header.virtual_bytes // GIB)} GB, the flavor has "
                                           f"{instance['flavor']['disk']} GB.")
        copy, user = self._copy_of_image(uuid), self.first_user(uuid)
        copy.unlink(missing_ok=True)
        copy.touch(mode=0o600)
        os.chown(copy, user, user)
        qemu_img("convert", "-q", "-f", header.format, "-O", "raw", image, str(copy), cpu_s=600, user=(user, user))
        return copy

    @staticmethod
    def _size(instance: dict, unpacked: pathlib.Path) -> int:
        """That of the flavor; without one, as much as the image needs."""
        return instance["flavor"]["disk"] * GIB or max(GIB, 4 * unpacked.stat().st_size)

    @staticmethod
    def _format(path: pathlib.Path, size: int) -> None:
        path.unlink(missing_ok=True)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
            out.truncate(size)
        _run("mke2fs", "-q", "-F", "-t", "ext4", "-m", "0", "-L", "root", "-E",
             "root_owner=0:0,lazy_itable_init=1,lazy_journal_init=1", path)

    def _unpack(self, uuid: str, image: pathlib.Path) -> None:
        root, found = self.root(uuid), contents.of(image)
        (root / "lost+found").rmdir()  # the image may have one
        with user_namespace(self.first_user(uuid)) as namespace, open(image, "rb") as archive:
            if isinstance(found, contents.Archive):
                good, said = run_confined(namespace, root, "tar", "--extract", "--file=-", *found.options, f"--directory={root}",
                                          "--preserve-permissions", "--numeric-owner", "--xattrs", *_NO_DEVICES,
                                          stdin=archive.fileno())
            elif isinstance(found, contents.FileSystem):
                good, said = run_confined(namespace, root, "debugfs", "-c", "-R", f'rdump / "{root}"',
                                          f"{image}?offset={found.offset}")
                good = good and "while" not in said  # it tells of failures by words alone
            else:
                raise errors.StepFailed(reason="The image is neither an archive of files (tar) nor a disk with an ext2, ext3 or "
                                               "ext4 file system, of which a container could be made.")
        if not good and os.statvfs(root).f_bavail < FULL_BLOCKS:
            raise errors.StepFailed(reason="The files of the image need more space than the flavor's disk has.")
        if not good:
            raise errors.StepFailed(reason="The files of the image could not be unpacked.", internal=said.strip()[-500:])
        if not os.path.lexists(root / INIT):
            raise errors.StepFailed(reason=f"The image has no /{INIT}, which a container runs.")

    def mount(self, uuid: str) -> None:
        """Mount a container's disk, before it is started. Repeatable.

        :raises StepFailed: it has none, or it cannot be mounted
        """
        if not self.disk(uuid).exists():
            raise errors.StepFailed(reason=f"The disk of instance {uuid} is missing on its host.")
        if os.path.ismount(self.root(uuid)):
            self.thaw(uuid)  # an agent that was killed while it copied the disk of a stopped container left it frozen
        else:
            self._mount(uuid, self.disk(uuid))

    def _mount(self, uuid: str, disk: pathlib.Path) -> None:
        home, root, user, lower = self.path / uuid, self.root(uuid), self.first_user(uuid), self._lower(uuid)
        lower.parent.mkdir(mode=0o700, exist_ok=True)
        for each in (home / "container", root, lower):
            each.mkdir(exist_ok=True)
        # The container's root alone may pass, or users of the host could run the container's setuid programs.
        os.chown(home / "container", user, 0)
        (home / "container").chmod(0o100)
        self._unmount_at(lower)
        _run("mount", "-t", "ext4", "-o", "loop,nodev,nosuid,noatime", disk, lower)
        try:
            with user_namespace(user) as namespace:
                mount_mapped(lower, root, namespace)
        except OSError as error:
            raise errors.StepFailed(reason="The host's kernel cannot map the users of a container's disk.",
                                    internal=str(error)) from error
        finally:
            self._unmount_at(lower)

    @staticmethod
    def _unmount_at(place: pathlib.Path) -> None:
        if os.path.ismount(place):
            _run("umount", place)

    def unmount(self, uuid: str) -> None:
        """Unmount the disk of a container that does not run. Repeatable.

        :raises StepFailed: it is still in use
        """
        home = self.path / uuid
        if not home.is_dir():
            return
        self.thaw(uuid)  # a frozen one would keep its loop device
        for place in (self.root(uuid), self._lower(uuid)):
            self._unmount_at(place)
        for disk in (self.disk(uuid), self.disk(uuid).with_suffix(".part")):
            if disk.exists():
                self._wait_released(disk)

    @staticmethod
    def _wait_released(disk: pathlib.Path) -> None:
        """The namespaces of a container that has just ended hold its mounts for a moment."""
        try:
            wait_for(lambda: not _run("losetup", "--associated", disk).strip(), RELEASE_S, what="the disk to be free")
        except TimeoutError as error:
            raise errors.StepFailed(reason="The container's disk is still in use.", internal=str(error)) from error

    def freeze(self, uuid: str) -> None:
        """Have the kernel write everything to the disk, and hold all writers."""
        if os.path.ismount(self.root(uuid)):
            _run("fsfreeze", "--freeze", self.root(uuid))

    def thaw(self, uuid: str) -> None:
        """The reverse; also for a disk that is not frozen."""
        if os.path.ismount(self.root(uuid)):
            with contextlib.suppress(errors.StepFailed):
                _run("fsfreeze", "--unfreeze", self.root(uuid))

    def copy(self, uuid: str, target: str) -> None:
        """As ``VirtDriver.snapshot``."""
        if not self.disk(uuid).exists():
            raise errors.StepFailed(reason="The server has no disk on its host that an image could be made of.")
        self.thaw(uuid)
        self.freeze(uuid)
        try:
            qemu_img("convert", "-q", "-f", "raw", "-O", "qcow2", str(self.disk(uuid)), target, cpu_s=600)
        finally:
            self.thaw(uuid)

    def write_config(self, uuid: str, drive: dict | None) -> bool:
        """Write the files of a config drive, which only the container's root may read. Returns whether there are any."""
        place, user = self.config(uuid), self.first_user(uuid)
        shutil.rmtree(place, ignore_errors=True)
        for name, content in sorted((drive or {}).items()):
            path = place / name
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        if drive:
            for each in (place, *place.rglob("*")):
                each.chmod(0o500 if each.is_dir() else 0o400)
                os.chown(each, user, user)
        return bool(drive)

    def remove(self, uuid: str) -> None:
        """:raises StepFailed: some of the files are left"""
        self.unmount(uuid)
        directories.remove(self.path, uuid)
