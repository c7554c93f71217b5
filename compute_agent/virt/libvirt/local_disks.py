"""Ephemeral and swap disks of guests: raw, sparse files, formatted before the guest first sees them.

Raw files have no header, so that nothing that a guest writes into one is ever read by its host.
"""

import dataclasses
import os
import pathlib
import shlex
import shutil
import subprocess

from common import errors

MIB = 1 << 20
MKFS_S = 300.0
DEFAULT_FORMAT = "ext4"
_OS_FORMATS = {"windows": "ntfs"}
# {file system: (program, its options before the label)}. ext: tables are written when the guest first mounts it.
_PROGRAMS = {
    **{f"ext{n}": (f"mkfs.ext{n}", ["-q", "-F", "-E", "lazy_itable_init=1,lazy_journal_init=1", "-L"]) for n in (2, 3, 4)},
    "vfat": ("mkfs.vfat", ["-n"]), "xfs": ("mkfs.xfs", ["-q", "-f", "-L"]), "ntfs": ("mkfs.ntfs", ["-Q", "-F", "-L"]),
    "swap": ("mkswap", ["-L"])}
_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"


@dataclasses.dataclass(frozen=True)
class Formatting:
    """How disks are formatted for which no file system was asked.

    :param default: a file system; "": by the image's ``os_type``
    :param commands: {os_type, or "default": words of a program, with ``%(target)s`` and ``%(fs_label)s``}; they take precedence
    """

    default: str = ""
    commands: dict[str, list[str]] = dataclasses.field(default_factory=dict)

    @classmethod
    def of(cls, default: str, templates: list[str]) -> "Formatting":
        """:param templates: of the option ``virt_mkfs``

        :raises BadRequest: one has no os_type, or another field
        """
        commands = {}
        for template in templates:
            os_type, separator, command = template.partition("=")
            try:
                words = shlex.split(command)
                if not [word % {"target": "", "fs_label": ""} for word in words] or not separator:
                    raise ValueError
            except (ValueError, KeyError, TypeError):
                raise errors.BadRequest(f"virt_mkfs={template}: it should be OS_TYPE=PROGRAM ... %(target)s.") from None
            commands[os_type.strip().lower()] = words
        return cls(default, commands)

    def command_for(self, instance: dict, disk: dict) -> list[str] | None:
        if disk["kind"] == "swap" or disk["format"]:
            return None
        return self.commands.get(_os_type(instance), self.commands.get("default"))


def _os_type(instance: dict) -> str:
    return str(instance["image_meta"].get("properties", {}).get("os_type")).lower()


def formats() -> list[str]:
    """The file systems that this host can make."""
    return sorted(name for name, (program, _) in _PROGRAMS.items() if name != "swap" and shutil.which(program, path=_PATH))


def files_of(instance: dict) -> dict[str, dict]:
    """{file name: the disk, as in the instance's flavor}, in the order of the guest's disks."""
    found, number = {}, 0
    for disk in instance["flavor"].get("local_disks", []):
        if disk["kind"] == "swap":
            found["disk.swap"] = disk
        else:
            found[f"disk.eph{number}"] = disk
            number += 1
    return found


def arriving(home: pathlib.Path, instance: dict) -> dict[str, tuple[pathlib.Path, int]]:
    """{file name of an ephemeral disk: (path for it when it comes from another host, most bytes)}"""
    return {name: (home / f"{name}.part", disk["size_mb"] * MIB) for name, disk in files_of(instance).items()
            if disk["kind"] != "swap"}


def prepare(home: pathlib.Path, instance: dict, formatting: Formatting) -> list[dict]:
    """Make the disks that are missing, let the others grow, and use those that came from another host.

    :param home: the guest's directory; a disk of another host is there with the suffix ``.part``
    :returns: [{"path", "format", "target", "kind"}]
    """
    plan = []
    for number, (name, disk) in enumerate(files_of(instance).items()):
        path, arrived = home / name, home / f"{name}.part"
        if arrived.exists():
            arrived.replace(path)
        if disk["kind"] == "swap" and path.exists() and path.stat().st_size != disk["size_mb"] * MIB:
            path.unlink()
        if not path.exists():
            _make(path, disk, _format(instance, disk, formatting.default), f"ephemeral{number}",
                  formatting.command_for(instance, disk))
        elif path.stat().st_size < disk["size_mb"] * MIB:
            os.truncate(path, disk["size_mb"] * MIB)
        plan.append({"path": str(path), "format": "raw", "target": disk["device_name"].rpartition("/")[2], "kind": disk["kind"]})
    return plan


def _format(instance: dict, disk: dict, default_format: str) -> str:
    if disk["kind"] == "swap":
        return "swap"
    return disk["format"] or default_format or _OS_FORMATS.get(_os_type(instance), DEFAULT_FORMAT)


def _make(path: pathlib.Path, disk: dict, file_system: str, label: str, command: list[str] | None) -> None:
    """:param command: as of ``Formatting``; None: the usual one of the file system"""
    made = path.with_name(f"{path.name}.new")
    label = "swap" if file_system == "swap" else label.upper() if file_system == "vfat" else label
    if command is None:
        program, options = _PROGRAMS[file_system]
        words = [program, *options, label, str(made)]
    else:
        words = [word % {"target": str(made), "fs_label": label} for word in command]
    found = shutil.which(words[0], path=_PATH)
    if found is None:
        raise errors.StepFailed(reason=f"The host cannot make {file_system} file systems.", internal=f"no program {words[0]}")
    with open(made, "wb") as file:
        file.truncate(disk["size_mb"] * MIB)
    made.chmod(0o600)
    try:
        subprocess.run([found, *words[1:]], check=True, capture_output=True, timeout=MKFS_S)
    except (subprocess.SubprocessError, OSError) as error:
        detail = getattr(error, "stderr", None) or b""
        made.unlink(missing_ok=True)
        raise errors.StepFailed(reason=f"The {disk['kind']} disk could not be formatted as {file_system}.",
                                internal=f"{error}: {detail.decode(errors='replace').strip()}") from error
    made.replace(path)
