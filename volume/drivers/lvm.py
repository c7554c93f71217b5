"""Volumes as logical volumes of one volume group, exported by tgtd.

New volumes and extensions are overwritten with zeros, because extents of deleted snapshots still contain data. Deleted volumes
are overwritten before their extents are freed. Each wipe is completed even if the service is restarted.
"""

import json
import pathlib
import subprocess

from common import errors
from volume.drivers import MISSING
from volume.drivers.file import ExportedByTgt

_UNWIPED = "pileus.unwiped."


class LvmDriver(ExportedByTgt):
    backing = "rdwr"

    def __init__(self, conf):
        super().__init__(conf)
        self.group = conf.volume.volume_group

    def _lvm(self, *words: str, timeout_s: float | None = 600) -> str:
        done = subprocess.run(list(words), capture_output=True, text=True, timeout=timeout_s)
        if done.returncode:
            raise errors.StepFailed(reason="The volume backend failed.",
                                    internal=f"{' '.join(words)}: {done.stderr.strip()}")
        return done.stdout

    def path(self, volume_id):
        return pathlib.Path(f"/dev/{self.group}/volume-{volume_id}")

    def kept(self, snapshot_id):
        return pathlib.Path(f"/dev/{self.group}/snapshot-{snapshot_id}")

    def create(self, volume_id, size_gb):
        if volume_id not in self.volumes():
            self._lvm("lvcreate", "--yes", "--wipesignatures", "n", "--zero", "y", "--size", f"{size_gb}g", "--name",
                      f"volume-{volume_id}", self.group)
            self._wipe(volume_id)

    def _wipe(self, volume_id, first_byte: int = 0):
        # Without a timeout: some disks write 100 GiB in ten minutes, and volumes may be larger.
        self._lvm("blkdiscard", "--zeroout", "--force", "--offset", str(first_byte), str(self.path(volume_id)), timeout_s=None)

    def extend(self, volume_id, size_gb):
        """A tag, set before the extension, records from where the volume still has to be wiped, in case of a crash."""
        path, facts = str(self.path(volume_id)), self._facts(volume_id)
        unwiped = next((int(t.removeprefix(_UNWIPED)) for t in facts["lv_tags"].split(",") if t.startswith(_UNWIPED)), None)
        is_origin = facts["lv_attr"].startswith(("o", "O"))
        if int(facts["lv_size"]) < size_gb << 30:
            if unwiped is None:
                unwiped = int(facts["lv_size"])
                self._lvm("lvchange", "--addtag", f"{_UNWIPED}{unwiped}", path)
            if is_origin:  # LVM resizes volumes with snapshots only while they are inactive
                self._lvm("lvchange", "--yes", "--activate", "n", path)
            try:
                self._lvm("lvextend", "--size", f"{size_gb}g", path)
            finally:
                self._lvm("lvchange", "--activate", "y", path)
        if unwiped is not None:
            self._lvm("lvchange", "--activate", "y", path)
            self._wipe(volume_id, unwiped)
            self._lvm("lvchange", "--deltag", f"{_UNWIPED}{unwiped}", path)

    def _facts(self, volume_id) -> dict:
        report = json.loads(self._lvm("lvs", "--reportformat", "json", "--units", "b", "--nosuffix", "-o",
                                      "lv_size,lv_attr,lv_tags", str(self.path(volume_id))))
        return report["report"][0]["lv"][0]

    def delete(self, volume_id):
        self.tgt.unexport(volume_id)
        if volume_id in self.volumes():
            self._wipe(volume_id)
            self._lvm("lvremove", "--yes", "--force", str(self.path(volume_id)))

    def snapshot(self, snapshot_id, volume_id):
        if snapshot_id not in self.snapshots():
            size = self._lvm("lvs", "--noheadings", "--units", "b", "--nosuffix", "-o", "lv_size", str(self.path(volume_id)))
            self._lvm("lvcreate", "--yes", "--snapshot", "--size", f"{size.strip()}b", "--name", f"snapshot-{snapshot_id}",
                      str(self.path(volume_id)))

    def delete_snapshot(self, snapshot_id):
        if snapshot_id in self.snapshots():
            self._lvm("lvremove", "--yes", "--force", str(self.kept(snapshot_id)))

    def clone(self, volume_id, size_gb, *, snapshot_id="", source_id=""):
        if (snapshot_id or source_id) not in (self.snapshots() if snapshot_id else self.volumes()):
            raise errors.StepFailed(reason=MISSING)
        self.create(volume_id, size_gb)
        source = self.kept(snapshot_id) if snapshot_id else self.path(source_id)
        self._lvm("dd", f"if={source}", f"of={self.path(volume_id)}", "bs=4M", "conv=fsync,sparse", "status=none",
                  timeout_s=None)

    def snapshots(self):
        return self._names("snapshot-")

    def volumes(self):
        return self._names("volume-")

    def sizes(self):
        report = json.loads(self._lvm("lvs", "--reportformat", "json", "--units", "b", "--nosuffix", "-o", "lv_name,lv_size",
                                      self.group))
        return {lv["lv_name"].removeprefix("volume-"): int(lv["lv_size"]) >> 30 for lv in report["report"][0]["lv"]
                if lv["lv_name"].startswith("volume-")}

    def _names(self, prefix: str) -> list[str]:
        report = json.loads(self._lvm("lvs", "--reportformat", "json", "-o", "lv_name", self.group))
        names = [lv["lv_name"] for lv in report["report"][0]["lv"]]
        return sorted(n.removeprefix(prefix) for n in names if n.startswith(prefix))

    def capacity(self):
        report = json.loads(self._lvm("vgs", "--reportformat", "json", "--units", "g", "--nosuffix", "-o",
                                      "vg_size,vg_free", self.group))
        facts = report["report"][0]["vg"][0]
        return {"total_capacity_gb": float(facts["vg_size"]), "free_capacity_gb": float(facts["vg_free"])}
