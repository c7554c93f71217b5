"""Volume drivers: where bytes are kept. One contract (``tests/volume/test_driver_contract.py``) for all."""

import collections.abc
import importlib

_DRIVERS = {"file": "volume.drivers.file:FileDriver", "lvm": "volume.drivers.lvm:LvmDriver",
            "fake": "volume.drivers.fake:FakeDriver"}
# In a connector: the initiator reads and writes nothing now, so that the export may be made anew under it.
IO_PAUSED = "io_paused"
MISSING = "What is to be copied is missing from the backend."


class VolumeDriver:
    """What a driver does. Every method may be called again with the same arguments and then changes nothing."""

    keeps_bytes = True  # whether images must be fetched to fill volumes

    def create(self, volume_id: str, size_gb: int) -> None:
        """Make an empty volume, all zeros. :raises StepFailed: no space"""
        raise AssertionError

    def fill(self, volume_id: str, path: str, disk_format: str) -> None:
        """Write an image's content into a volume that is new. ``path`` is a file that the inspector let through.

        :raises StepFailed: the image does not fit, or cannot be read
        """
        raise AssertionError

    def delete(self, volume_id: str) -> None:
        """Remove a volume, so that its bytes can never be read again through another."""
        raise AssertionError

    def extend(self, volume_id: str, size_gb: int) -> None:
        """Grow to ``size_gb``; never shrinks. Who has it exported sees that after the next ``connect``.

        :raises StepFailed: no space, or there is no such volume
        """
        raise AssertionError

    def volumes(self) -> list[str]:
        """Ids of the volumes that exist."""
        raise AssertionError

    def sizes(self) -> dict[str, int]:
        """{id: GiB} of the volumes that exist."""
        raise AssertionError

    def snapshot(self, snapshot_id: str, volume_id: str) -> None:
        """Keep what a volume holds now. :raises StepFailed: no space, or it never holds still"""
        raise AssertionError

    def delete_snapshot(self, snapshot_id: str) -> None:
        """Remove a snapshot; volumes that were made of it stay whole."""
        raise AssertionError

    def clone(self, volume_id: str, size_gb: int, *, snapshot_id: str = "", source_id: str = "") -> None:
        """Make a volume of ``size_gb`` that begins with what a snapshot, or another volume, holds.

        :raises StepFailed: no space, or there is no such snapshot or volume (yet)
        """
        raise AssertionError

    def snapshots(self) -> list[str]:
        """Ids of the snapshots that exist."""
        raise AssertionError

    def connect(self, volume_id: str, attachment_id: str, connector: dict, known: dict) -> dict:
        """Export for one attachment, beside those that there are. ``known`` is the connection info of an earlier call, or {}.

        The export has the volume's size of now, unless an initiator uses it and is not known to hold still (IO_PAUSED).
        """
        raise AssertionError

    def disconnect(self, volume_id: str, attachment_id: str, initiator: str | None = None,
                   others: collections.abc.Collection[str] = ()) -> None:
        """End the export for one attachment: the volume cannot be reached by it afterwards. Those of others stay.

        :param initiator: that of the attachment's connector, where no other attachment has the same
        :param others: the ids of the volume's other attachments that have an export
        """
        raise AssertionError

    def unexport(self, volume_id: str) -> None:
        """End all exports of a volume, as of one that is attached to nothing."""
        raise AssertionError

    def admitted(self) -> dict[str, set[str]]:
        """{id of each volume that is exported: ids of the attachments that may reach it}"""
        raise AssertionError

    def exports(self) -> list[str]:
        """Ids of the volumes that are exported."""
        return sorted(self.admitted())

    def capacity(self) -> dict:
        """{"total_capacity_gb", "free_capacity_gb"} as floats."""
        raise AssertionError


def load(conf) -> VolumeDriver:
    module, _, name = _DRIVERS[conf.volume.driver].partition(":")
    return getattr(importlib.import_module(module), name)(conf)
