"""Volume drivers. All pass the same contract tests (``tests/volume/test_driver_contract.py``)."""

import collections.abc
import importlib
import pathlib

_DRIVERS = {"file": "volume.drivers.file:FileDriver", "lvm": "volume.drivers.lvm:LvmDriver",
            "fake": "volume.drivers.fake:FakeDriver"}
# Key of a connector: the initiator does no I/O now, so that the export may be reopened.
IO_PAUSED = "io_paused"
MISSING = "The source of the copy is missing from the backend."


class VolumeDriver:
    """The interface of drivers. Every method is repeatable: calling it again with the same arguments changes nothing."""

    keeps_bytes = True  # whether images must be fetched to fill volumes

    def create(self, volume_id: str, size_gb: int) -> None:
        """Create an empty volume, filled with zeros. :raises StepFailed: no space"""
        raise AssertionError

    def fill(self, volume_id: str, path: str, disk_format: str) -> None:
        """Write an image to a new volume. ``path`` is a file that the inspector accepted.

        :raises StepFailed: the image does not fit, or cannot be read
        """
        raise AssertionError

    def refill(self, volume_id: str, path: str, disk_format: str) -> None:
        """Write an image over what a volume has, as ``fill``. No server has it connected."""
        self.fill(volume_id, path, disk_format)

    def delete(self, volume_id: str) -> None:
        """Delete a volume, so that its data can never be read through another one."""
        raise AssertionError

    def extend(self, volume_id: str, size_gb: int) -> None:
        """Extend to ``size_gb``; never shrinks. Initiators see it after the next ``connect``.

        :raises StepFailed: no space, or there is no such volume
        """
        raise AssertionError

    def volumes(self) -> list[str]:
        """Ids of the existing volumes."""
        raise AssertionError

    def sizes(self) -> dict[str, int]:
        """{id: GiB} of the existing volumes."""
        raise AssertionError

    def snapshot(self, snapshot_id: str, volume_id: str) -> None:
        """Create a snapshot of a volume. :raises StepFailed: no space, or the volume is written to all the time"""
        raise AssertionError

    def delete_snapshot(self, snapshot_id: str) -> None:
        """Delete a snapshot; volumes created from it are unaffected."""
        raise AssertionError

    def clone(self, volume_id: str, size_gb: int, *, snapshot_id: str = "", source_id: str = "") -> None:
        """Create a volume of ``size_gb`` with the data of a snapshot or another volume.

        :raises StepFailed: no space, or there is no such snapshot or volume (yet)
        """
        raise AssertionError

    def data(self, volume_id: str, *, snapshot_id: str = "") -> pathlib.Path:
        """The file or the block device with the bytes of a volume, or of a snapshot of it, to be read.

        :raises StepFailed: there is no such volume or snapshot
        """
        raise AssertionError

    def snapshots(self) -> list[str]:
        """Ids of the existing snapshots."""
        raise AssertionError

    def connect(self, volume_id: str, attachment_id: str, connector: dict, known: dict) -> dict:
        """Export the volume for an attachment, in addition to existing ones. ``known`` is the connection info of an earlier call,
        or {}.

        The export has the volume's current size, unless an initiator is using it and may be doing I/O (no IO_PAUSED).
        """
        raise AssertionError

    def disconnect(self, volume_id: str, attachment_id: str, initiator: str | None = None,
                   others: collections.abc.Collection[str] = ()) -> None:
        """End the export for an attachment, which can no longer reach the volume. Others are kept.

        :param initiator: that of the attachment's connector, unless another attachment has the same
        :param others: the ids of the volume's other exported attachments
        """
        raise AssertionError

    def unexport(self, volume_id: str) -> None:
        """End all exports of a volume."""
        raise AssertionError

    def admitted(self) -> dict[str, set[str]]:
        """{id of an exported volume: ids of the attachments that may reach it}"""
        raise AssertionError

    def exports(self) -> list[str]:
        """Ids of the exported volumes."""
        return sorted(self.admitted())

    def capacity(self) -> dict:
        """{"total_capacity_gb", "free_capacity_gb"} as floats."""
        raise AssertionError


def load(conf) -> VolumeDriver:
    module, _, name = _DRIVERS[conf.volume.driver].partition(":")
    return getattr(importlib.import_module(module), name)(conf)
