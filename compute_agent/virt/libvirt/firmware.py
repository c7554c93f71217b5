"""UEFI firmware of a host.

Source: docs/interop/firmware.json of QEMU: descriptors, of which the one whose file name sorts first is the preferred.
"""

import dataclasses
import fnmatch
import json
import logging
import pathlib

LOG = logging.getLogger(__name__)
DIRECTORIES = ("/etc/qemu/firmware", "/usr/share/qemu/firmware")  # the first takes precedence for equal file names


@dataclasses.dataclass(frozen=True)
class Firmware:
    """``code``: the firmware; ``variables``: the initial content of a guest's variables."""

    code: str
    variables: str
    machines: tuple[str, ...]
    secure: bool

    def fits(self, machine: str, *, secure: bool) -> bool:
        """:param machine: "pc", "q35", or a versioned name"""
        name = {"pc": "pc-i440fx-0", "q35": "pc-q35-0"}.get(machine, machine)
        return self.secure == secure and any(fnmatch.fnmatchcase(name, pattern) for pattern in self.machines)


def found(directories: tuple[str, ...] = DIRECTORIES) -> list[Firmware]:
    """The firmware of this host, the preferred first."""
    files: dict[str, pathlib.Path] = {}
    for directory in reversed(directories):
        files.update({path.name: path for path in pathlib.Path(directory).glob("*.json")})
    made = [_read(files[name]) for name in sorted(files)]
    return [each for each in made if each is not None]


def _read(path: pathlib.Path) -> Firmware | None:
    try:
        described = json.loads(path.read_text() or "{}")  # an empty file hides one of the same name
        mapping, features = described.get("mapping", {}), described.get("features", [])
        if "uefi" not in described.get("interface-types", []) or mapping.get("device") != "flash":
            return None
        code, variables = mapping["executable"], mapping["nvram-template"]
        if code["format"] != "raw" or variables["format"] != "raw":
            return None
        machines = [m for t in described["targets"] if t["architecture"] == "x86_64" for m in t["machines"]]
        secure = "secure-boot" in features
        if secure and "enrolled-keys" not in features:  # it would start anything
            return None
        if not (pathlib.Path(code["filename"]).exists() and pathlib.Path(variables["filename"]).exists()):
            return None
        return Firmware(code["filename"], variables["filename"], tuple(machines), secure)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        LOG.warning("%s does not describe firmware: %s", path, error)
        return None


def choose(every: list[Firmware], machine: str, *, secure: bool) -> Firmware | None:
    return next((each for each in every if each.fits(machine, secure=secure)), None)
