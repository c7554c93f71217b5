"""A backend without data, for clouds that run without root: it only stores which volumes exist."""

import contextlib
import pathlib
import secrets
import threading

from common import errors
from volume.drivers import MISSING, VolumeDriver

_DISK_BYTES = 1 << 20
CHAP = "fake-chap-"  # prefix of all secrets, so that tests find them where they should not be


class FakeDriver(VolumeDriver):
    """Volumes are empty files that contain their size; exports are files next to them."""

    keeps_bytes = False

    def __init__(self, conf):
        self.path = pathlib.Path(conf.volume.path or f"{conf.state_path}/volumes")
        self.path.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()  # for the records of exports

    def _file(self, volume_id):
        return self.path / f"volume-{volume_id}"

    def create(self, volume_id, size_gb):
        if not self._file(volume_id).exists():
            self._file(volume_id).write_text(str(size_gb))

    def fill(self, volume_id, path, disk_format):
        pass  # there is no data to write

    def delete(self, volume_id):
        self._file(volume_id).unlink(missing_ok=True)

    def extend(self, volume_id, size_gb):
        if not self._file(volume_id).exists():
            raise errors.StepFailed(reason=f"Volume {volume_id} is missing from its backend.")
        self._file(volume_id).write_text(str(max(size_gb, int(self._file(volume_id).read_text()))))

    def snapshot(self, snapshot_id, volume_id):
        (self.path / f"snapshot-{snapshot_id}").write_text(self._file(volume_id).read_text())

    def delete_snapshot(self, snapshot_id):
        (self.path / f"snapshot-{snapshot_id}").unlink(missing_ok=True)

    def clone(self, volume_id, size_gb, *, snapshot_id="", source_id=""):
        source = self.path / f"snapshot-{snapshot_id}" if snapshot_id else self._file(source_id)
        if not source.exists():
            raise errors.StepFailed(reason=MISSING)
        self.create(volume_id, size_gb)

    def data(self, volume_id, *, snapshot_id=""):
        """A small disk of zeros, which stands for what no volume here has."""
        if not (self.path / f"snapshot-{snapshot_id}" if snapshot_id else self._file(volume_id)).exists():
            raise errors.StepFailed(reason=MISSING)
        zeros = self.path / "zeros"
        with open(zeros, "ab") as disk:
            disk.truncate(_DISK_BYTES)
        return zeros

    def snapshots(self):
        return sorted(p.name[9:] for p in self.path.glob("snapshot-*"))

    def volumes(self):
        return sorted(p.name[7:] for p in self.path.glob("volume-*") if not p.name.endswith(".export"))

    def sizes(self):
        found = {}
        for volume_id in self.volumes():
            with contextlib.suppress(FileNotFoundError):  # deleted in the meantime
                found[volume_id] = int(self._file(volume_id).read_text())
        return found

    def connect(self, volume_id, attachment_id, connector, known):
        if not self._file(volume_id).exists():
            raise errors.StepFailed(reason=f"Volume {volume_id} is missing from its backend.")
        with self._lock:
            self._write_exports(volume_id, {*self._exports(volume_id), attachment_id})
        secret = (known.get("data") or {}).get("auth_password") or CHAP + secrets.token_hex(8)
        return {"driver_volume_type": "fake", "data": {
            "volume_id": volume_id, "access_mode": "rw", "auth_method": "CHAP", "auth_username": attachment_id,
            "auth_password": secret}}

    def _exports(self, volume_id: str) -> set[str]:
        """The attachments that may reach the volume."""
        export = self._file(volume_id).with_suffix(".export")
        return set(export.read_text().split()) if export.exists() else set()

    def _write_exports(self, volume_id: str, attachments: set[str]) -> None:
        export = self._file(volume_id).with_suffix(".export")
        if attachments:
            export.write_text(" ".join(sorted(attachments)))
        else:
            export.unlink(missing_ok=True)

    def disconnect(self, volume_id, attachment_id, initiator=None, others=()):
        with self._lock:
            self._write_exports(volume_id, self._exports(volume_id) - {attachment_id})

    def unexport(self, volume_id):
        with self._lock:
            self._write_exports(volume_id, set())

    def admitted(self):
        return {p.stem[7:]: self._exports(p.stem[7:]) for p in self.path.glob("volume-*.export")}

    def capacity(self):
        return {"total_capacity_gb": 10000.0, "free_capacity_gb": 10000.0}
