"""Files of guests: directories, root disks as overlays on cached images, config drives."""

import collections.abc
import contextlib
import io
import json
import os
import pathlib
import resource
import shutil
import struct
import subprocess

from common import errors, files, inspector, rescue
from compute_agent.virt import directories
from compute_agent.virt.base import Injection
from compute_agent.virt.libvirt import local_disks, tpm
from compute_agent.virt.libvirt.injection import inject
from compute_agent.virt.libvirt.users import Users

GIB = 1 << 30
_USUAL = local_disks.Formatting()
NVRAM, NVRAM_BYTES = "nvram.fd", 1 << 26  # variables of UEFI firmware, and the most that they may have


def qemu_img(*words: str, cpu_s: int = 30, user: tuple[int, int] | None = None) -> None:
    """Run qemu-img with limits, so that an image cannot exhaust the host (CVE-2015-5162).

    :param user: (user, group) ids to run as
    """
    def limits() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
        resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s))
    uid, gid = user or (None, None)
    # One heap for all of its threads: with one for each, it reaches the limit of memory when there are many.
    done = subprocess.run(["qemu-img", *words], capture_output=True, text=True, preexec_fn=limits, timeout=60 + 20 * cpu_s,
                          user=uid, group=gid, extra_groups=[] if user else None, env={**os.environ, "MALLOC_ARENA_MAX": "1"})
    if done.returncode:
        full = "No space left" in done.stderr
        raise errors.StepFailed(reason="The host has no space for the disk." if full else "The disk could not be made.",
                                internal=done.stderr.strip())


class Files:
    """
    :param state: the state directory; QEMU's user goes through the directories below it to a guest's files
    :param users: who that is, for each guest
    :param formatting: of ephemeral disks
    :param key_of: as of ``Tpms``

    A guest's directory stays root's: what is in it besides the disks says what root does with them.
    """

    def __init__(self, path, state, users: Users, formatting: local_disks.Formatting = _USUAL,
                 key_of: collections.abc.Callable[[str], str | None] = lambda uuid: None):
        self.state, self.users, self.formatting = state, users, formatting
        self.path = files.traversable_directory(path, state)
        self.tpms = tpm.Tpms(self.path, users, key_of)

    def directory(self, uuid: str) -> pathlib.Path:
        return self.path / uuid

    def prepare(self, instance: dict, images: dict, injection: Injection | None = None) -> None:
        """Create the directory, the disks and ``disks.json``, which describes how the guest boots.

        :param injection: into the root disk, if that is made now
        """
        home = self.directory(instance["uuid"])
        self._remove_disks_of_another_image(instance["uuid"], images)
        files.traversable_directory(home, self.state)
        plan = self._made(home / "disk", instance, instance["image_meta"], images, injection)
        plan["local"] = local_disks.prepare(home, instance, self.formatting)
        (home / "disks.json").write_text(json.dumps(plan))

    def _remove_disks_of_another_image(self, uuid: str, images: dict) -> None:
        """Those of a server that was offloaded while this host was down, and is unshelved here before they were removed."""
        with contextlib.suppress(errors.StepFailed):
            root = self.plan(uuid)["root"] or {}
            if images and root.get("base") not in (None, images["image"]):
                self.remove(uuid)

    def _made(self, disk: pathlib.Path, instance: dict, image_meta: dict, images: dict,
              injection: Injection | None) -> dict:
        """Create a root disk; returns how to boot from it: {"root", "kernel"}."""
        plan: dict = {"root": None, "kernel": {}}
        if images:
            plan["root"] = self._root(disk, instance, image_meta["disk_format"], images["image"], injection)
            if "kernel" in images:
                cmdline = image_meta["properties"].get("os_command_line") or "root=/dev/vda console=tty0 console=ttyS0"
                plan["kernel"] = {"kernel": images["kernel"], "ramdisk": images.get("ramdisk"), "cmdline": cmdline}
        return plan

    def begin_rescue(self, instance: dict, images: dict, injection: Injection | None = None) -> None:
        """Until the end of the rescue a disk of the rescue image is added to the others, or it is the root, and the guest's own
        the second disk.
        """
        home, own = self.directory(instance["uuid"]), self.plan(instance["uuid"])
        own, added = own.get("own", own), rescue.added(instance["rescue_image"])
        plan = self._made(home / "disk.rescue", instance, instance["rescue_image"], images, injection)
        if added:
            plan = {**own, "kernel": plan["kernel"], "rescue": {**(plan["root"] or {}), "device": added.device, "bus": added.bus}}
        else:
            plan["second"] = own["root"]
        (home / "disks.json").write_text(json.dumps({**plan, "own": own}))

    def end_rescue(self, uuid: str) -> None:
        home, plan = self.directory(uuid), self.plan(uuid)
        if "own" in plan:
            (home / "disks.json").write_text(json.dumps(plan["own"]))
        (home / "disk.rescue").unlink(missing_ok=True)

    def _root(self, disk: pathlib.Path, instance: dict, declared: str, image: str, injection: Injection | None) -> dict:
        """An overlay on the cached image, of the flavor's size; an ISO is attached as a CD."""
        header = inspector.check(image, declared)
        wanted = instance["flavor"]["disk"] * GIB
        if wanted and header.virtual_bytes > wanted:
            raise errors.StepFailed(reason=f"The image needs {-(-header.virtual_bytes // GIB)} GB, the flavor has "
                                           f"{instance['flavor']['disk']} GB.")
        if header.format == "iso":
            return {"path": image, "format": "raw", "cdrom": True, "base": image}
        base = "qcow2" if declared == "qcow2" else "raw"
        if not disk.exists():
            qemu_img("create", "-q", "-f", "qcow2", "-F", base, "-b", image, f"{disk}.part",
                     str(max(wanted, header.virtual_bytes)))
            if injection:
                user = self.users.of(instance["uuid"])
                if user:
                    self.users.give(f"{disk}.part", user, 0o600)
                inject(pathlib.Path(f"{disk}.part"), user, injection)
            pathlib.Path(f"{disk}.part").rename(disk)
        return {"path": str(disk), "format": "qcow2", "cdrom": False, "base": image}

    def exported(self, uuid: str) -> dict:
        """As ``VirtDriver.export_disks``."""
        plan = self.plan(uuid)
        root, kernel = plan["root"] or {}, plan["kernel"]
        own = root.get("path") if root and not root["cdrom"] else None
        # The content of a swap disk is of no use to a guest that is off.
        local = [d["path"] for d in plan.get("local", []) if d["kind"] != "swap"]
        variables = self.directory(uuid) / NVRAM
        local += [str(variables)] if variables.exists() else []
        local += self.tpms.export(uuid)
        return {"disk": own, "local": local, "format": root.get("format"), "cdrom": bool(root.get("cdrom")),
                "cmdline": kernel.get("cmdline"), "base": (root.get("base") or _backing(root.get("path"))) if root else None,
                "kernel": kernel.get("kernel"), "ramdisk": kernel.get("ramdisk")}

    def virtual_bytes(self, uuid: str) -> int:
        """The size of the guest's own disk, as the guest sees it."""
        return _virtual_bytes(self.plan(uuid)["root"]["path"])

    def begin_import(self, uuid: str) -> pathlib.Path:
        files.traversable_directory(self.directory(uuid), self.state)
        return self.directory(uuid) / "disk.part"

    def local_paths(self, instance: dict) -> dict[str, tuple[pathlib.Path, int]]:
        """As ``VirtDriver.local_paths``."""
        home = self.directory(instance["uuid"])
        return {**local_disks.arriving(home, instance), NVRAM: (home / f"{NVRAM}.part", NVRAM_BYTES),
                tpm.OFFERED: (home / f"{tpm.OFFERED}.part", tpm.MOST_BYTES)}

    def imported(self, instance: dict, disks: dict, cached: dict) -> None:
        """As ``VirtDriver.import_disks``. The guest's own user rewrites the disk's header, which may name any file."""
        uuid, home = instance["uuid"], self.directory(instance["uuid"])
        plan: dict = {"root": None, "kernel": {}}
        if disks["cdrom"]:
            plan["root"] = {"path": cached["base"], "format": "raw", "cdrom": True, "base": cached["base"]}
        elif disks["disk"]:
            self._adopt(uuid, home, cached["base"], instance["flavor"]["disk"] * GIB)
            plan["root"] = {"path": str(home / "disk"), "format": "qcow2", "cdrom": False, "base": cached["base"]}
        if "kernel" in cached:
            plan["kernel"] = {"kernel": cached["kernel"], "ramdisk": cached.get("ramdisk"), "cmdline": disks["cmdline"]}
        with contextlib.suppress(FileNotFoundError):
            (home / f"{NVRAM}.part").replace(home / NVRAM)
        self.tpms.adopt(uuid)
        plan["local"] = local_disks.prepare(home, instance, self.formatting)
        (home / "disks.json").write_text(json.dumps(plan))

    def _adopt(self, uuid: str, home: pathlib.Path, base: str, wanted_bytes: int) -> None:
        """Turn ``disk.part`` into the guest's disk, with this host's copy of its base image, and resize it."""
        part = home / "disk.part"
        if not part.exists() and (home / "disk").exists():
            return
        user = self.users.of(uuid)
        if user:
            self.users.give(part, user, 0o600)
        base_format = "qcow2" if base.endswith(".qcow2") else "raw"
        qemu_img("rebase", "-q", "-u", "-f", "qcow2", "-F", base_format, "-b", base, str(part), user=user)
        self._grow(part, wanted_bytes, user)
        part.rename(home / "disk")

    @staticmethod
    def _grow(disk: pathlib.Path, wanted_bytes: int, user: tuple[int, int] | None) -> None:
        if wanted_bytes > _virtual_bytes(disk):
            qemu_img("resize", "-q", "-f", "qcow2", str(disk), str(wanted_bytes), user=user)

    def resize(self, instance: dict) -> None:
        """As ``VirtDriver.resize_disks``."""
        uuid, plan = instance["uuid"], self.plan(instance["uuid"])
        root, home = plan["root"], self.directory(uuid)
        if root and not root["cdrom"]:
            self.give(uuid, None)
            self._grow(pathlib.Path(root["path"]), instance["flavor"]["disk"] * GIB, self.users.of(uuid))
        plan["local"] = local_disks.prepare(home, instance, self.formatting)
        (home / "disks.json").write_text(json.dumps(plan))

    def give(self, uuid: str, drive: str | None) -> None:
        """Make the guest's user the owner of its disks. Repeatable; also converts disks of older releases."""
        user, plan = self.users.of(uuid), self.plan(uuid)
        if user is None:
            return
        for disk in (plan["root"], plan.get("second"), plan.get("rescue"), *plan.get("local", [])):
            if disk and not disk.get("cdrom"):
                self.users.give(disk["path"], user, 0o600)
        if drive:
            self.users.give(drive, user, 0o400)

    def plan(self, uuid: str) -> dict:
        try:
            return json.loads((self.directory(uuid) / "disks.json").read_text())
        except FileNotFoundError:
            raise errors.StepFailed(reason=f"The disk of instance {uuid} is missing on its host.") from None

    def variables(self, uuid: str, template: str) -> str:
        """The path of the variables of a guest's UEFI firmware, made of the template where there are none yet."""
        path = self.directory(uuid) / NVRAM
        if not path.exists():
            made = path.with_suffix(".new")
            shutil.copyfile(template, made)
            made.chmod(0o600)
            made.replace(path)
        user = self.users.of(uuid)
        if user:
            self.users.give(path, user, 0o600)
        return str(path)

    def note_hardware(self, instance: dict) -> None:
        """Keep what devices that are attached later are made of."""
        kept = {"vcpus": instance["vcpus"], "memory_mb": instance["memory_mb"],
                "flavor": {"extra_specs": instance["flavor"].get("extra_specs") or {}},
                "image_meta": {"properties": instance["image_meta"].get("properties") or {}}}
        (self.directory(instance["uuid"]) / "hardware.json").write_text(json.dumps(kept))

    def noted_hardware(self, uuid: str) -> dict:
        """As ``guest_hardware.of_server`` reads it; that of a usual guest if its host noted none."""
        try:
            return json.loads((self.directory(uuid) / "hardware.json").read_text())
        except FileNotFoundError:
            return {"vcpus": 1, "memory_mb": 0, "flavor": {}, "image_meta": {}}

    def flatten(self, uuid: str, target: str) -> None:
        """The root disk with its backing files, as one file."""
        root = self.plan(uuid)["root"]
        if root is None or root["cdrom"]:
            raise errors.StepFailed(reason="The server has no disk on its host that an image could be made of.")
        user = self.users.of(uuid)
        if user:
            # As the guest's user: the guest wrote the disk, and its header may name any file.
            self.give(uuid, None)
            pathlib.Path(target).touch()
            self.users.give(target, user, 0o600)
        # -U: the guest has the disk open; it is paused, and QEMU has flushed its data.
        qemu_img("convert", "-q", "-U", "-f", "qcow2", "-O", "qcow2", root["path"], target, cpu_s=600, user=user)

    def config_drive(self, uuid: str, files: dict) -> str:
        """An ISO 9660 image with the volume id ``config-2``."""
        import pycdlib
        iso = pycdlib.PyCdlib()
        iso.new(interchange_level=3, joliet=3, rock_ridge="1.09", vol_ident="config-2")
        made: set[str] = set()
        for number, (path, content) in enumerate(sorted(files.items())):
            raw = content if isinstance(content, bytes) else content.encode()
            parents = path.split("/")[:-1]
            for depth in range(1, len(parents) + 1):
                folder = "/" + "/".join(parents[:depth])
                if folder not in made:
                    made.add(folder)
                    iso.add_directory(_iso_path(folder), rr_name=parents[depth - 1], joliet_path=folder)
            name = path.rsplit("/", 1)[-1]
            parent = _iso_path("/" + "/".join(parents))
            iso.add_fp(io.BytesIO(raw), len(raw), f"{parent}/F{number:06d}.;1", rr_name=name, joliet_path="/" + path)
        target = self.directory(uuid) / "disk.config"
        iso.write(str(target))
        iso.close()
        return str(target)

    def remove(self, uuid: str) -> None:
        """:raises StepFailed: some of them are left"""
        directories.remove(self.path, uuid)

    def base_images(self) -> set[str]:
        """Paths of the cached images that guests' disks are based on or booted with."""
        found: set[str] = set()
        for uuid in directories.known(self.path):
            with contextlib.suppress(errors.StepFailed):
                plan = self.plan(uuid)
                for each in (plan, plan.get("own") or {}, {"root": plan.get("rescue")}):
                    root, kernel = each.get("root") or {}, each.get("kernel") or {}
                    found |= {p for p in (root.get("base") or _backing(root.get("path")), kernel.get("kernel"),
                                          kernel.get("ramdisk")) if p}
        return found


def _backing(path: str | None) -> str | None:
    """The backing file of a disk of an older release, from its qcow2 header (docs/interop/qcow2.txt of QEMU)."""
    try:
        with open(path or "", "rb") as disk:
            magic, _, offset, size = struct.unpack(">4sIQI", disk.read(20))
            disk.seek(offset)
            return disk.read(min(size, 1023)).decode() if magic == b"QFI\xfb" and offset else path
    except (OSError, ValueError, struct.error):
        return path


def _virtual_bytes(disk: pathlib.Path | str) -> int:
    """From the qcow2 header (docs/interop/qcow2.txt of QEMU)."""
    with open(disk, "rb") as data:
        return struct.unpack(">24xQ", data.read(32))[0]


def _iso_path(path: str) -> str:
    """ISO 9660 names: capitals, digits, underscores; Joliet and Rock Ridge have the real names."""
    return "/".join("".join(c if c.isalnum() else "_" for c in part.upper()) for part in path.split("/"))
