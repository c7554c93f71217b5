"""A host user per guest, so that a compromised QEMU cannot open another guest's disk.

The users have no names; their ids come from a range reserved for this. All have one group, which may use ``/dev/kvm`` and read
the cached images. A guest's id is stored in its directory, which belongs to root.
"""

import grp
import logging
import os
import pathlib

from compute_agent.virt.numbers import Numbers

LOG = logging.getLogger(__name__)
# Where QEMU finds the key with which libvirt encrypts secrets; on Debian only libvirt's user may enter.
_LIBVIRT_DIRECTORY = pathlib.Path("/var/lib/libvirt/qemu")


class Users:
    """:param path: of the guests' directories
    :param first: the lowest number; :param count: how many there are; 0: guests run as libvirt's own user
    :param group: name of the group
    """

    def __init__(self, path: pathlib.Path, first: int, count: int, group: str):
        self.path, self.first, self.count = path, first, count
        self.gid = _group(group) if count and os.geteuid() == 0 and _mapped(first + count - 1) else None
        self._numbers = Numbers(path, "user", first, count, helpers=("tpm",))
        if self.gid is None and count:
            LOG.warning("all guests run as one user: this process may not choose other users, or there is no group %s", group)

    @property
    def on(self) -> bool:
        return self.gid is not None

    def known(self, name: str) -> int | None:
        """The user that was chosen for a guest, or for the directory of a helper in its directory."""
        return self._numbers.known(name)

    def of(self, uuid: str) -> tuple[int, int] | None:
        """(user, group) of a guest whose directory exists, chosen on first use; None: libvirt chooses.

        :param uuid: or "<uuid>/<name>", for a helper with a directory in the guest's
        """
        if self.gid is None:
            return None
        return self._numbers.of(uuid), self.gid

    def give(self, path: str | pathlib.Path, owner: tuple[int, int], mode: int) -> None:
        """Make the guest's user the only one that may access a file."""
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            os.fchown(handle, *owner)
            os.fchmod(handle, mode)
        finally:
            os.close(handle)

    def admit(self) -> None:
        """Allow guests to traverse libvirt's own directory, to the directories that it creates for them. Repeatable."""
        if self.on and _LIBVIRT_DIRECTORY.is_dir():
            mode = _LIBVIRT_DIRECTORY.stat().st_mode & 0o7777
            if not mode & 0o001:
                _LIBVIRT_DIRECTORY.chmod(mode | 0o001)


def _group(name: str) -> int | None:
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        return None


def _mapped(number: int) -> bool:
    """Whether this user exists in this user namespace."""
    try:
        ranges = [line.split() for line in pathlib.Path("/proc/self/uid_map").read_text().splitlines()]
    except FileNotFoundError:
        return False
    return any(int(inside) <= number < int(inside) + int(count) for inside, _, count in ranges)
