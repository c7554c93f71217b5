"""Volumes as sparse files in one directory, exported by tgtd."""

import contextlib
import os
import pathlib
import subprocess
import time

from common import errors
from volume.drivers import IO_PAUSED, MISSING, VolumeDriver, tgt

GIB = 1 << 30
COPY_TRIES, TICK_S = 5, 0.02


class ExportedByTgt(VolumeDriver):
    """The exporting half of block and file backends. ``backing`` is tgt's store type."""

    backing = "rdwr"
    starts_as_zeros = False

    def __init__(self, conf):
        self.conf = conf
        self.tgt = tgt.Tgt(conf.volume.iscsi_ip, conf.volume.iscsi_port, conf.volume.tgt_control_port)

    def path(self, volume_id: str) -> pathlib.Path:
        raise AssertionError

    def kept(self, snapshot_id: str) -> pathlib.Path:
        """The path of a snapshot."""
        raise AssertionError

    def fill(self, volume_id, path, disk_format):
        # With limits, because the image is untrusted: 2 GiB of memory, ten minutes of CPU; the format is always given.
        words = ["prlimit", "--as=2147483648", "--cpu=600", "--", "qemu-img", "convert", "-n",
                 *(["--target-is-zero"] if self.starts_as_zeros else []),
                 "-f", "qcow2" if disk_format == "qcow2" else "raw", "-O", "raw", path, str(self.path(volume_id))]
        done = subprocess.run(words, capture_output=True, text=True)
        if done.returncode:
            raise errors.StepFailed(reason="The image could not be written to the volume.",
                                    internal=done.stderr.strip()[-500:])

    def data(self, volume_id, *, snapshot_id=""):
        source = self.kept(snapshot_id) if snapshot_id else self.path(volume_id)
        if not source.exists():
            raise errors.StepFailed(reason=MISSING)
        return source

    def connect(self, volume_id, attachment_id, connector, known):
        if not self.path(volume_id).exists():
            raise errors.StepFailed(reason=f"Volume {volume_id} is missing from its backend.")
        account, secret = tgt.credentials(attachment_id, known)
        self.tgt.export(volume_id, str(self.path(volume_id)), self.backing, account, secret,
                        connector.get("initiator"), io_paused=bool(connector.get(IO_PAUSED)))
        return tgt.connection_info(self.tgt.portal, volume_id, account, secret)

    def disconnect(self, volume_id, attachment_id, initiator=None, others=()):
        self.tgt.unexport(volume_id, tgt.account_of(attachment_id), initiator, [tgt.account_of(a) for a in others])

    def unexport(self, volume_id):
        self.tgt.unexport(volume_id)

    def admitted(self):
        return {v: {tgt.attachment_of(a) for a in target["accounts"]} for v, target in self.tgt.targets().items()}


class FileDriver(ExportedByTgt):
    starts_as_zeros = True

    def __init__(self, conf):
        super().__init__(conf)
        self.directory = pathlib.Path(conf.volume.path or f"{conf.state_path}/volumes")
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o711)

    def path(self, volume_id):
        return self.directory / f"volume-{volume_id}"

    def refill(self, volume_id, path, disk_format):
        """``fill`` does not write zeros."""
        try:
            size = self.path(volume_id).stat().st_size
            os.truncate(self.path(volume_id), 0)
            os.truncate(self.path(volume_id), size)
        except OSError as error:
            raise errors.StepFailed(reason=f"Volume {volume_id} is missing from its backend.", internal=str(error)) from error
        self.fill(volume_id, path, disk_format)

    def create(self, volume_id, size_gb):
        self._grow(volume_id, size_gb, os.O_RDWR | os.O_CREAT)

    def extend(self, volume_id, size_gb):
        if not self.path(volume_id).exists():
            raise errors.StepFailed(reason=f"Volume {volume_id} is missing from its backend.")
        self._grow(volume_id, size_gb, os.O_RDWR)

    def _grow(self, volume_id, size_gb, flags: int) -> None:
        try:
            with open(os.open(self.path(volume_id), flags, 0o600), "r+b") as handle:
                if os.fstat(handle.fileno()).st_size < size_gb * GIB:
                    handle.truncate(size_gb * GIB)
        except OSError as error:
            raise errors.StepFailed(reason="The volume backend has no space left.", internal=str(error)) from error

    def delete(self, volume_id):
        # Unlinked blocks belong to the file system, which zeroes them.
        self.tgt.unexport(volume_id)
        self.path(volume_id).unlink(missing_ok=True)

    def volumes(self):
        return sorted(p.name[7:] for p in self.directory.glob("volume-*"))

    def sizes(self):
        found = {}
        for volume_id in self.volumes():
            with contextlib.suppress(FileNotFoundError):  # deleted in the meantime
                found[volume_id] = self.path(volume_id).stat().st_size // GIB
        return found

    def kept(self, snapshot_id):
        return self.directory / f"snapshot-{snapshot_id}"

    def _copy(self, source: pathlib.Path, target: pathlib.Path) -> None:
        """A consistent copy: atomic if the file system shares blocks, otherwise a copy without concurrent writes.

        Concurrent writes are detected by the file's mtime. Its granularity is some milliseconds, so it is read one tick before
        the copy begins.
        """
        if not source.exists():
            raise errors.StepFailed(reason=MISSING)
        partial = target.with_name(f".{target.name}.part")
        for _ in range(COPY_TRIES):
            changed = source.stat().st_mtime_ns
            time.sleep(TICK_S)
            done = subprocess.run(["cp", "--reflink=always", str(source), str(partial)], capture_output=True, text=True)
            if done.returncode == 0:
                break
            done = subprocess.run(["cp", "--reflink=never", "--sparse=always", str(source), str(partial)],
                                  capture_output=True, text=True)
            if done.returncode:
                partial.unlink(missing_ok=True)
                raise errors.StepFailed(reason="The volume could not be copied.", internal=done.stderr.strip())
            time.sleep(TICK_S)
            if source.stat().st_mtime_ns == changed:
                break
        else:
            partial.unlink(missing_ok=True)
            raise errors.StepFailed(reason="The volume was written to all the time; this backend needs a moment without "
                                           "writes to copy it.")
        partial.chmod(0o600)
        partial.replace(target)

    def snapshot(self, snapshot_id, volume_id):
        if not self.kept(snapshot_id).exists():
            self._copy(self.path(volume_id), self.kept(snapshot_id))

    def delete_snapshot(self, snapshot_id):
        self.kept(snapshot_id).unlink(missing_ok=True)

    def clone(self, volume_id, size_gb, *, snapshot_id="", source_id=""):
        if not self.path(volume_id).exists():
            self._copy(self.kept(snapshot_id) if snapshot_id else self.path(source_id), self.path(volume_id))
        self.extend(volume_id, size_gb)

    def snapshots(self):
        return sorted(p.name[9:] for p in self.directory.glob("snapshot-*"))

    def capacity(self):
        facts = os.statvfs(self.directory)
        return {"total_capacity_gb": round(facts.f_blocks * facts.f_frsize / GIB, 1),
                "free_capacity_gb": round(facts.f_bavail * facts.f_frsize / GIB, 1)}
