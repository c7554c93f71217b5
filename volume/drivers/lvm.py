"""Volumes as logical volumes of one volume group, exported by tgtd.

A deleted volume is overwritten with zeros before its extents go back, and the
wipe runs to its end even if the service is restarted: delete is a task that
resumes.
"""

import json
import pathlib
import subprocess

from common import errors
from volume.drivers import MISSING
from volume.drivers.file import ExportedByTgt


class LvmDriver(ExportedByTgt):
    backing = "rdwr"

    def __init__(self, conf):
        super().__init__(conf)
        self.group = conf.volume.volume_group

    def _lvm(self, *words: str) -> str:
        done = subprocess.run(list(words), capture_output=True, text=True, timeout=600)
        if done.returncode:
            raise errors.StepFailed(reason="The volume backend could not do it.",
                                    internal=f"{' '.join(words)}: {done.stderr.strip()}")
        return done.stdout

    def path(self, volume_id):
        return pathlib.Path(f"/dev/{self.group}/volume-{volume_id}")

    def create(self, volume_id, size_gb):
        if volume_id not in self.volumes():
            self._lvm("lvcreate", "--yes", "--wipesignatures", "n", "--zero", "y", "--size", f"{size_gb}g", "--name",
                      f"volume-{volume_id}", self.group)
            self._wipe(volume_id)

    def _wipe(self, volume_id):
        self._lvm("blkdiscard", "--zeroout", "--force", str(self.path(volume_id)))

    def extend(self, volume_id, size_gb):
        size = self._lvm("lvs", "--noheadings", "--units", "g", "--nosuffix", "-o", "lv_size", str(self.path(volume_id)))
        if float(size) < size_gb:
            self._lvm("lvextend", "--size", f"{size_gb}g", str(self.path(volume_id)))

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
            self._lvm("lvremove", "--yes", "--force", f"/dev/{self.group}/snapshot-{snapshot_id}")

    def clone(self, volume_id, size_gb, *, snapshot_id="", source_id=""):
        if (snapshot_id or source_id) not in (self.snapshots() if snapshot_id else self.volumes()):
            raise errors.StepFailed(reason=MISSING)
        self.create(volume_id, size_gb)
        source = f"/dev/{self.group}/snapshot-{snapshot_id}" if snapshot_id else str(self.path(source_id))
        self._lvm("dd", f"if={source}", f"of={self.path(volume_id)}", "bs=4M", "conv=fsync,sparse", "status=none")

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
