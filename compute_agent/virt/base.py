"""What a hypervisor driver does. One contract (``tests/compute/test_virt_contract.py``) for all.

Every method may be called again with the same arguments and then changes
nothing. ``instance`` is an instance row as the conductor sends it; ``ports``
is its network_info; ``volumes`` is [{"device_name", "volume_id", "boot_index",
"info": connection info of volume-api, sealed}].
"""

import pathlib
from collections.abc import Callable

from common.vault import Vault


class VirtDriver:
    needs_image = True  # whether an image's bytes must be on this host
    image_owner: tuple[int, int] | None = None  # (user, group) that cached images must have, so that guests may read them

    def __init__(self, conf):
        self.conf = conf
        self.vault = Vault(f"{conf.state_path}/compute-agent/secret-keys")  # of the secrets in connection info

    def host_resources(self) -> dict:
        """{"hypervisor_hostname", "vcpus", "memory_mb", "local_gb", "facts"}."""
        raise AssertionError

    def prepare_disk(self, instance: dict, image_files: dict) -> None:
        """Make the instance's directory and root disk.

        :param image_files: {"image", "kernel", "ramdisk"} -> path in the cache; {} for boot from volume
        """
        raise AssertionError

    def export_disks(self, uuid: str) -> dict:
        """What another host needs to make the disks of a guest that does not run.

        :returns: {"disk": path of the root disk, or None, "format", "cdrom": whether ``base`` itself is the root, "base",
            "kernel", "ramdisk": paths of the cached images that it is based on or booted with, or None, "cmdline"}
        :raises StepFailed: the guest runs, or has no files here
        """
        raise AssertionError

    def begin_import(self, instance: dict) -> pathlib.Path:
        """Make the guest's directory; returns where its disk is to be put."""
        raise AssertionError

    def import_disks(self, instance: dict, disks: dict, cached: dict) -> None:
        """Make the guest's disks of what came from another host, as large as its flavor says.

        :param disks: what ``export_disks`` said there; a disk of its own is where ``begin_import`` says
        :param cached: {"base", "kernel", "ramdisk"} -> path on this host, as far as there are any
        """
        raise AssertionError

    def spawn(self, instance: dict, ports: list, volumes: list, config_drive: dict | None, *, running: bool = True) -> None:
        """Define the guest, and start it if it is to be ``running``.

        :raises StepFailed: with a reason that a user may read
        """
        raise AssertionError

    def destroy(self, uuid: str) -> None:
        """Stop the guest at once and forget it; its files stay."""
        raise AssertionError

    def remove_files(self, uuid: str) -> None:
        raise AssertionError

    def power_on(self, uuid: str) -> None:
        raise AssertionError

    def pause(self, uuid: str) -> None:
        """Stop the guest's processors; its memory stays where it is."""
        raise AssertionError

    def unpause(self, uuid: str) -> None:
        raise AssertionError

    def suspend(self, uuid: str) -> None:
        """Put the guest's memory on disk and free the host's; ``power_on`` continues it where it was."""
        raise AssertionError

    def power_off(self, uuid: str, *, timeout_s: float, hurry: Callable[[], bool] = lambda: False) -> None:
        """Ask the guest to stop, and stop it after ``timeout_s``, or as soon as ``hurry()``: it is to be deleted."""
        raise AssertionError

    def reboot(self, uuid: str, *, timeout_s: float, hurry: Callable[[], bool] = lambda: False) -> None:
        """Ask the guest to restart; restart it hard where it does not within ``timeout_s``, or as soon as ``hurry()``."""
        raise AssertionError

    def begin_rescue(self, instance: dict, image_files: dict) -> None:
        """The next ``spawn`` runs from a disk of another image, with the guest's own as its second."""
        raise AssertionError

    def end_rescue(self, uuid: str) -> None:
        """The next ``spawn`` runs from the guest's own disk again."""
        raise AssertionError

    def snapshot(self, uuid: str, target: str) -> None:
        """Write the guest's root disk to a new qcow2 file that needs no other. The guest is paused or stopped meanwhile.

        :raises StepFailed: it has no disk of its own, or the host no space
        """
        raise AssertionError

    def renew_secrets(self, volumes: list) -> None:
        """Let the hypervisor know the secrets of these volumes again: it may have been restarted, and keeps them in memory."""
        raise AssertionError

    def attach_volume(self, uuid: str, volume: dict) -> None:
        raise AssertionError

    def detach_volume(self, uuid: str, volume_id: str) -> None:
        """Returns when the guest has let go; a guest that is gone has nothing. :raises StepFailed: it did not"""
        raise AssertionError

    def extend_volume(self, uuid: str, volume_id: str, size_gb: int) -> None:
        """Let the guest see that a volume has grown; one that is off sees it when it starts.

        :raises StepFailed: its target has another size, or the guest no such volume
        """
        raise AssertionError

    def volume_size_gb(self, uuid: str, volume_id: str) -> int | None:
        """What the guest sees, in GiB; None where it is off, or that is not known."""
        raise AssertionError

    def attach_interface(self, uuid: str, port: dict) -> None:
        raise AssertionError

    def detach_interface(self, uuid: str, port: dict) -> None:
        raise AssertionError

    def power_states(self) -> dict[str, int]:
        """{uuid: power state} of every guest on this host."""
        raise AssertionError

    def generation(self) -> str:
        """A text that changes when the host, or its hypervisor with all guests, was started anew."""
        raise AssertionError

    def lost_guests(self, uuids: set[str]) -> set[str]:
        """Those of ``uuids`` whose guest does not run and did not end by itself: it went down with the host."""
        raise AssertionError

    def owners(self) -> dict[str, tuple[str, str]]:
        """{uuid: (cloud id, host)} of every guest, as its own definition says; ("", "") where that says nothing."""
        raise AssertionError

    def directories(self) -> list[str]:
        """uuids that have files on this host."""
        raise AssertionError

    def base_images(self) -> set[str]:
        """Paths of the cached images that guests of this host are based on."""
        raise AssertionError

    def attached_volumes(self, uuid: str) -> list[str]:
        """Ids of the volumes in the guest's definition."""
        raise AssertionError

    def console_output(self, uuid: str) -> bytes:
        """The last 100 KiB that the guest wrote to its serial console."""
        raise AssertionError
