"""The interface of hypervisor drivers. All drivers pass the same contract tests (``tests/compute/test_virt_contract.py``).

Every method is repeatable: calling it again with the same arguments changes nothing. ``instance`` is an instance row as sent by
the conductor; ``ports`` is its network_info; ``volumes`` is [{"device_name", "volume_id", "boot_index", "info": connection info
of the volume service, with encrypted secrets}].
"""

import dataclasses
import pathlib
from collections.abc import Callable

from common import errors, guest_needs, host_traits
from common.vault import Vault
from compute_agent.messages import PasswordResult
from compute_agent.tunnel import Channels, Tunnel


@dataclasses.dataclass(frozen=True)
class Injection:
    """What is to be written into a new disk before a guest starts.

    :param partition: its number; 0: the whole disk; -1: the one with /etc
    :param files: [{"path", "contents": base64}]; ``password``: of root
    """

    partition: int
    files: tuple[dict, ...] = ()
    key: str | None = None
    password: str | None = None


class VirtDriver:
    needs_image = True  # whether an image's data must be on this host
    keeps_taps = True  # whether the host's ends of a guest's ports stay when it ends; if not, each start plugs them again
    unsupported: frozenset[str] = frozenset()  # what its guests cannot do, by the names of ``common.guest_needs``
    image_owner: tuple[int, int] | None = None  # (user, group) that cached images must have, so that guests may read them

    def __init__(self, conf):
        self.conf = conf
        # (uuid of a server) -> the key with which its TPM's state is encrypted, which no host keeps. The agent sets it.
        self.tpm_key: Callable[[str], str | None] = lambda uuid: None
        self.vault = Vault(f"{conf.state_path}/compute-agent/secret-keys")  # for the secrets in connection info

    def host_resources(self) -> dict:
        """{"hypervisor_hostname", "vcpus", "memory_mb", "local_gb", "facts"}.

        ``facts["unusable"]`` is true while the hypervisor can run no new guests or does not answer, and ``facts["problem"]`` says
        why; ``facts["unsupported"]`` lists ``unsupported``.
        """
        raise AssertionError

    def check_hardware(self, instance: dict) -> None:
        """Check that the guest can have here what its flavor and image ask for, as it may be defined anew.

        :raises StepFailed: it cannot; nothing was changed
        """
        needs, facts = guest_needs.of(instance), self.host_resources()["facts"]
        lacking = guest_needs.missing(facts, {"features": needs["features"], "amounts": {}}, host_traits.of)
        if lacking:
            raise errors.StepFailed(reason=f"The host is without hardware that the flavor or the image asks for "
                                           f"({', '.join(lacking)}).")

    def prepare_disk(self, instance: dict, image_files: dict, injection: Injection | None = None) -> None:
        """Create the instance's directory, root disk, and ephemeral and swap disks (``local_disks`` of its flavor).

        :param image_files: {"image", "kernel", "ramdisk"} -> path in the cache; {} if it boots from a volume
        :param injection: into the root disk, if that is made now
        :raises StepFailed: the image does not fit, or files could not be injected
        """
        raise AssertionError

    def export_disks(self, uuid: str) -> dict:
        """What another host needs to recreate the disks of a stopped guest.

        :returns: {"disk": path of the root disk, or None, "local": [paths of its ephemeral disks and other files], "format",
            "cdrom": whether ``base`` itself is the root, "base", "kernel", "ramdisk": paths of the cached images that it is based
            on or booted with, or None, "cmdline"}
        :raises StepFailed: the guest runs, or has no files here
        """
        raise AssertionError

    def begin_import(self, instance: dict) -> pathlib.Path:
        """Create the guest's directory; returns the path for its disk. Ephemeral disks belong at ``local_paths``."""
        raise AssertionError

    def local_paths(self, instance: dict) -> dict[str, tuple[pathlib.Path, int]]:
        """{name of a file besides the root disk on its host: (path for it here when it comes from another host, most bytes)}

        They are ephemeral disks, and what a guest's firmware remembers.
        """
        raise AssertionError

    def import_disks(self, instance: dict, disks: dict, cached: dict) -> None:
        """Create the guest's disks from the files of another host, resized to the flavor.

        :param disks: the result of ``export_disks`` on that host; a disk of its own is at the path that ``begin_import``
            returned, and ephemeral disks are at ``local_paths``; those that are not there are made anew
        :param cached: {"base", "kernel", "ramdisk"} -> path on this host, for those that exist
        """
        raise AssertionError

    def keep_disks(self, uuid: str, migration: int, is_unwanted: Callable[[], bool] = lambda: False) -> None:
        """Keep a copy of a stopped guest's disks as they are, until ``drop_kept_disks``.

        :raises StepFailed: the guest runs or has no files here, or the host's disk is full
        :raises Superseded: ``is_unwanted`` said so
        """
        raise AssertionError

    def resize_disks(self, instance: dict) -> None:
        """Resize a stopped guest's disks to its flavor."""
        raise AssertionError

    def restore_disks(self, uuid: str, migration: int) -> None:
        """Use a stopped guest's disks again that were kept for a migration; those in use are put aside. Without kept ones, those
        in use stay."""
        raise AssertionError

    def unrestore_disks(self, uuid: str, migration: int) -> None:
        """Undo ``restore_disks``: use the disks that it put aside, and keep the others again."""
        raise AssertionError

    def drop_kept_disks(self, uuid: str) -> None:
        """Remove what ``keep_disks`` has kept, and what ``restore_disks`` has put aside."""
        raise AssertionError

    def describe_guest(self, uuid: str) -> dict:
        """What another host needs to receive a running guest.

        :returns: {"guest": its definition, as this driver's ``prepare_incoming`` takes it, "disks": as of ``export_disks``,
            "disk_bytes": size of its own disk as the guest sees it, "config_drive": path, or None}
        """
        raise AssertionError

    def prepare_incoming(self, instance: dict, offered: dict, cached: dict, ports: list, volumes: list) -> None:
        """Define the guest and create its disk, for a guest that is migrated here live.

        :param offered: ``describe_guest`` of the source; a config drive has been fetched to ``disk.config`` beside the disk
        :param cached: as of ``import_disks``
        :raises StepFailed: this host cannot run it, for example because its CPU lacks what the guest uses
        """
        raise AssertionError

    def open_incoming(self, instance: dict) -> tuple[str, Channels]:
        """:returns: (what ``migrate`` of the source needs to know of the guest here, the channels through which it comes)"""
        raise AssertionError

    def migrate(self, uuid: str, guest: str, tunnel: Tunnel, watch: Callable[[dict], str | None]) -> None:
        """Migrate a running or paused guest. On the target it is paused then; here it is off, and still defined.

        :param guest: of ``open_incoming`` on the target, to which ``tunnel`` leads
        :param watch: called with the progress in bytes, {"memory_total", "memory_processed", "memory_remaining"} and so for
            "disk"; it returns ``live.ABORT``, ``live.FORCE`` (pause the guest, so that it changes no more memory) or None
        :raises StepFailed: the guest is still here; it may be paused
        """
        raise AssertionError

    def arrived(self, uuid: str) -> None:
        """Remove what only the migration of a guest to this host needed."""
        raise AssertionError

    def spawn(self, instance: dict, ports: list, volumes: list, config_drive: dict | None, *, running: bool = True) -> None:
        """Define the guest, and start it if ``running``.

        :raises StepFailed: with a reason for the user
        """
        raise AssertionError

    def destroy(self, uuid: str) -> None:
        """Stop the guest immediately and undefine it; its files are kept."""
        raise AssertionError

    def remove_files(self, uuid: str) -> None:
        raise AssertionError

    def power_on(self, uuid: str) -> None:
        raise AssertionError

    def pause(self, uuid: str) -> None:
        """Stop the guest's CPUs; its memory is kept."""
        raise AssertionError

    def unpause(self, uuid: str) -> None:
        raise AssertionError

    def suspend(self, uuid: str) -> None:
        """Save the guest's memory to disk and free the host's; ``power_on`` resumes it."""
        raise AssertionError

    def power_off(self, uuid: str, *, timeout_s: float, is_cancelled: Callable[[], bool] = lambda: False) -> None:
        """Ask the guest to stop, and stop it after ``timeout_s``, or as soon as ``is_cancelled()``: it is to be deleted."""
        raise AssertionError

    def reboot(self, uuid: str, *, timeout_s: float, is_cancelled: Callable[[], bool] = lambda: False) -> None:
        """Ask the guest to restart; restart it hard where it does not within ``timeout_s``, or as soon as ``is_cancelled()``."""
        raise AssertionError

    def diagnostics(self, uuid: str) -> dict | None:
        """What a running guest has used, as ``compute_agent.messages.Diagnostics``; None: it does not run."""
        raise AssertionError

    def placement(self, uuid: str) -> dict | None:
        """Where on the host a guest is, as ``compute_agent.messages.Placement``; None: there is no such guest."""
        raise AssertionError

    def inject_nmi(self, uuid: str) -> None:
        """Send a running guest a non-maskable interrupt, for which many guests write a crash dump.

        :raises StepFailed: the guest does not run, or cannot take one
        """
        raise AssertionError

    def set_password(self, uuid: str, user: str, password: str) -> PasswordResult:
        """Have the agent in a running guest set a user's password. The result is an answer, because failing is usual: many guests
        have no agent.
        """
        raise AssertionError

    def begin_rescue(self, instance: dict, image_files: dict, injection: Injection | None = None) -> None:
        """The next ``spawn`` boots from a disk of another image: beside all others if ``common.rescue.added`` says so, else in
        place of the guest's own, which is the second disk then.
        """
        raise AssertionError

    def end_rescue(self, uuid: str) -> None:
        """The next ``spawn`` boots from the guest's own disk again."""
        raise AssertionError

    def quiesce(self, uuid: str) -> None:
        """Have the agent in a running guest freeze its file systems, if the image says that there is one.

        :raises StepFailed: the image requires it (``os_require_quiesce``), and the agent does not do it
        """
        raise AssertionError

    def unquiesce(self, uuid: str) -> None:
        """The reverse; also for a guest whose file systems are not frozen."""
        raise AssertionError

    def snapshot(self, uuid: str, target: str) -> None:
        """Copy the guest's root disk to a new, standalone qcow2 file. The guest is paused or stopped meanwhile.

        :raises StepFailed: it has no disk of its own, or the host's disk is full
        """
        raise AssertionError

    def renew_secrets(self, volumes: list) -> None:
        """Pass the secrets of these volumes to the hypervisor again: it keeps them in memory and may have been restarted."""
        raise AssertionError

    def attach_volume(self, uuid: str, volume: dict) -> None:
        raise AssertionError

    def detach_volume(self, uuid: str, volume_id: str) -> None:
        """Returns when the guest has released the volume. :raises StepFailed: it did not"""
        raise AssertionError

    def extend_volume(self, uuid: str, volume_id: str, size_gb: int) -> None:
        """Make the guest see the new size of a volume; a stopped guest sees it when it starts.

        :raises StepFailed: its target has another size, or the guest has no such volume
        """
        raise AssertionError

    def volume_size_gb(self, uuid: str, volume_id: str) -> int | None:
        """The size that the guest sees, in GiB; None if it is off or the size is unknown."""
        raise AssertionError

    def attach_interface(self, uuid: str, port: dict) -> None:
        raise AssertionError

    def detach_interface(self, uuid: str, port: dict) -> None:
        raise AssertionError

    def power_states(self) -> dict[str, int]:
        """{uuid: power state} of every guest on this host."""
        raise AssertionError

    def generation(self) -> str:
        """A string that changes when the host, or the hypervisor with all guests, is restarted."""
        raise AssertionError

    def lost_guests(self, uuids: set[str]) -> set[str]:
        """Those of ``uuids`` whose guest is not running and did not end by itself, but with the host."""
        raise AssertionError

    def owners(self) -> dict[str, tuple[str, str]]:
        """{uuid: (cloud id, host)} of every guest, from the metadata of its definition; ("", "") if there is none."""
        raise AssertionError

    def directories(self) -> list[str]:
        """uuids with files on this host."""
        raise AssertionError

    def base_images(self) -> set[str]:
        """Paths of the cached images that guests of this host use."""
        raise AssertionError

    def attached_volumes(self, uuid: str) -> list[str]:
        """Ids of the volumes in the guest's definition."""
        raise AssertionError

    def console_output(self, uuid: str) -> bytes:
        """The last 100 KiB of the guest's serial console."""
        raise AssertionError

    def open_console(self, uuid: str, kind: str) -> int:
        """A file descriptor to read from and write to a console of a running guest. It is closed when the guest stops.

        :param kind: "vnc": the guest's screen by the RFB protocol, without a password; "serial": its first serial port
        :raises StepFailed: the guest does not run, or has no such console
        """
        raise AssertionError
