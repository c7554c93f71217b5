"""Writes files into an ext2, ext3 or ext4 file system of a disk that no guest uses, without mounting it.

A program of its own. It runs as the guest's user, without privileges and network, with the system's Python, so it imports nothing
of this project. What it is to do is JSON on its standard input::

    {"disk": path of a qcow2 file, "partition": number, 0 for the whole disk, -1 for the one with /etc,
     "files": [{"path", "contents": base64}, ...], "key": text or null, "password": text or null}

It works in its current directory, which is empty. Its output is JSON: {"failed": {what: why}}, or {"broken": why}.

A copy of the file system is changed by debugfs, and the blocks that differ are written to the disk, so that the disk keeps
sharing all others with its image.

Sources: UEFI specification 2.10, 5.2 and 5.3 (partition tables); Documentation/filesystems/ext4 of Linux (superblock).
"""

import base64
import json
import os
import re
import signal
import struct
import subprocess
import sys

SECTOR, BLOCK = 512, 1 << 16
HEAD_SECTORS = 2 + 32  # MBR, header and entries of a GPT
_EXTENDED, _PROTECTIVE = (0x05, 0x0F, 0x85), 0xEE
_NEEDS_RECOVERY = 0x4
MOST_READ = 16 << 20  # of a file of the image, whose holes would fill the host's disk
_PATH = re.compile(r'[^"\x00-\x1f\x7f\\]{1,1024}')
_KEYS = "/root/.ssh/authorized_keys"


class Failed(Exception):
    """With a reason for the user."""


def run(*words: str, text: str | None = None, accepts: tuple[int, ...] = (0,)) -> str:
    done = subprocess.run(words, input=text, capture_output=True, text=True, errors="replace",
                          env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"})
    if done.returncode not in accepts:
        raise Failed(f"{words[0]}: {done.stderr.strip()[-300:]}")
    return done.stdout


def part_of(disk: str, start: int, size: int) -> str:
    """QEMU's options for a part of the disk, in bytes."""
    return f"driver=raw,offset={start},size={size},file.driver=qcow2,file.file.driver=file,file.file.filename=" + disk.replace(
        ",", ",,")


def virtual_size(disk: str) -> int:
    return json.loads(run("qemu-img", "info", "-f", "qcow2", "--output", "json", disk))["virtual-size"]


def read_part(disk: str, start: int, size: int, target: str) -> None:
    run("qemu-img", "convert", "--image-opts", part_of(disk, start, size), "-O", "raw", target)


def partitions(head: bytes) -> list[tuple[int, int]]:
    """(start, size) in bytes of the partitions, by an MBR or a GPT; [] if there is neither."""
    if len(head) < SECTOR or head[510:512] != b"\x55\xaa":
        return []
    entries = [struct.unpack_from("<8xII", head, 446 + 16 * n) for n in range(4)]
    kinds = [head[446 + 16 * n + 4] for n in range(4)]
    if _PROTECTIVE in kinds and head[SECTOR:SECTOR + 8] == b"EFI PART":
        _, count, width = struct.unpack_from("<QII", head, SECTOR + 72)
        found = []
        for n in range(min(count, 128)):
            at = 2 * SECTOR + n * width
            if width < 128 or at + 48 > len(head):
                break
            first, last = struct.unpack_from("<QQ", head, at + 32)
            if any(head[at:at + 16]) and last >= first:
                found.append((first * SECTOR, (last - first + 1) * SECTOR))
        return found
    return [(first * SECTOR, count * SECTOR) for kind, (first, count) in zip(kinds, entries)
            if kind and kind not in _EXTENDED and count]


class FileSystem:
    """A copy of an ext file system. Paths are within it."""

    def __init__(self, image: str, size: int):
        self.image, self.size, self._number = image, size, 0

    @classmethod
    def at(cls, disk: str, start: int, size: int, name: str) -> "FileSystem | None":
        """None: it is no ext file system"""
        read_part(disk, start, min(size, 2048), f"{name}.head")
        with open(f"{name}.head", "rb") as head:
            superblock = head.read()[1024:]
        if superblock[56:58] != b"\x53\xef":
            return None
        # What is behind it on the disk, which may be large, is not read.
        size = min(size, struct.unpack_from("<I", superblock, 4)[0] << (10 + min(struct.unpack_from("<I", superblock, 24)[0], 6)))
        read_part(disk, start, size, name)
        if struct.unpack_from("<I", superblock, 96)[0] & _NEEDS_RECOVERY:
            run("e2fsck", "-p", name, accepts=(0, 1))
        return cls(name, size)

    def _script(self, commands: tuple[str, ...]) -> str:
        self._number += 1
        script = f"commands{self._number}"
        with open(script, "w") as file:
            file.write("".join(f"{command}\n" for command in commands))
        return script

    def _do(self, *commands: str, writes: bool = False) -> str:
        return run("debugfs", *(["-w"] if writes else []), "-f", self._script(commands), self.image)

    def mode_of(self, path: str) -> tuple[str, int, int, int] | None:
        """(type, mode, user, group); None: there is no such path"""
        told = self._do(f'stat "{path}"')
        kind, mode = re.search(r"Type: (\w+)", told), re.search(r"Mode:\s+0?([0-7]+)", told)
        owner = re.search(r"User:\s+(\d+)\s+Group:\s+(\d+)", told)
        return (kind[1], int(mode[1], 8) & 0o7777, int(owner[1]), int(owner[2])) if kind and mode and owner else None

    def read(self, path: str) -> bytes:
        """b"" if there is no such file"""
        self._number += 1
        out = f"read{self._number}"
        run("prlimit", f"--fsize={MOST_READ}", "debugfs", "-f", self._script((f'dump "{path}" {out}',)), self.image,
            accepts=(0, -signal.SIGXFSZ))
        if not os.path.exists(out):
            return b""
        if os.path.getsize(out) >= MOST_READ:
            raise Failed(f"{path} is too large")
        with open(out, "rb") as file:
            return file.read()

    def make_directory(self, path: str, mode: int = 0o755) -> None:
        at = ""
        for part in path.strip("/").split("/"):
            at += f"/{part}"
            if self.mode_of(at) is None:
                self._do(f'mkdir "{at}"', f'sif "{at}" mode 0{0o040000 | (mode if at == path else 0o755):o}', writes=True)

    def write(self, path: str, content: bytes, mode: int = 0o644) -> None:
        """Replace a file, which keeps its mode and its owner, or a link, which becomes a new file: its own mode allows all."""
        path = "/" + path.strip("/")
        if not _PATH.fullmatch(path) or "/" == path or any(part in ("", ".", "..") for part in path[1:].split("/")):
            raise Failed(f"the path {path[:100]!r} has characters that cannot be injected")
        directory, _, name = path.rpartition("/")
        if directory:
            self.make_directory(directory)
        known = self.mode_of(path)
        if known and known[0] == "directory":
            raise Failed(f"{path} is a directory")
        _, mode, user, group = known if known and known[0] == "regular" else ("", mode, 0, 0)
        self._number += 1
        source = f"write{self._number}"
        with open(source, "wb") as file:
            file.write(content)
        commands = [f'rm "{path}"'] if known else []
        commands += [f'cd "{directory}/."', f'write {source} "{name}"']  # the dot: also where it is a link
        commands += [f'sif "{name}" {field} {value}' for field, value in (
            ("mode", f"0{0o100000 | mode:o}"), ("uid", user), ("gid", group))]
        self._do(*commands, writes=True)
        if self.read(path) != content:
            raise Failed(f"{path} could not be written")


def add_key(system: FileSystem, key: str) -> None:
    system.make_directory("/root/.ssh", 0o700)
    known = system.read(_KEYS)
    if key.strip().encode() not in known.splitlines():
        system.write(_KEYS, known + (b"" if known.endswith(b"\n") or not known else b"\n") + key.strip().encode() + b"\n", 0o600)


def set_password(system: FileSystem, password: str) -> None:
    shadow = system.read("/etc/shadow").decode(errors="surrogateescape")
    found = re.search(r"^root:[^:\n]*", shadow, re.M)
    if not found:
        raise Failed("the image has no user root in /etc/shadow")
    hashed = run("openssl", "passwd", "-6", "-stdin", text=password).strip()
    system.write("/etc/shadow", (shadow[:found.start()] + f"root:{hashed}" + shadow[found.end():]).encode(
        errors="surrogateescape"))


def changed_blocks(before: str, after: str):
    """(offset, bytes) of what differs."""
    with open(before, "rb") as old, open(after, "rb") as new:
        at, size = 0, os.fstat(new.fileno()).st_size
        while at < size:
            try:
                at = os.lseek(new.fileno(), at, os.SEEK_DATA) // BLOCK * BLOCK
            except OSError:  # nothing but a hole is left
                return
            now = os.pread(new.fileno(), BLOCK, at)
            if os.pread(old.fileno(), BLOCK, at) != now:
                yield at, now
            at += BLOCK


def write_back(disk: str, start: int, size: int, before: str, after: str) -> None:
    commands = []
    for number, (offset, content) in enumerate(changed_blocks(before, after)):
        with open(f"block{number}", "wb") as file:
            file.write(content)
        commands.append(f"write -s block{number} {offset} {len(content)}")
    if commands:
        told = run("qemu-io", "--image-opts", part_of(disk, start, size), text="".join(f"{c}\n" for c in [*commands, "flush"]))
        if told.count("wrote ") != len(commands):
            raise Failed("the disk could not be written")


def find(disk: str, partition: int) -> tuple[FileSystem, int]:
    """The file system to write to, and where on the disk it begins."""
    whole = virtual_size(disk)
    read_part(disk, 0, min(whole, HEAD_SECTORS * SECTOR), "table")
    with open("table", "rb") as table:
        known = partitions(table.read())
    if partition > len(known):
        raise Failed(f"the image has no partition {partition}")
    if partition > 0:
        places = [known[partition - 1]]
    else:
        places = known if partition < 0 and known else [(0, whole)]
    for number, (start, size) in enumerate(places):
        system = FileSystem.at(disk, start, size, f"system{number}") if start + size <= whole else None
        if system and (partition >= 0 or system.mode_of("/etc")):
            return system, start
    raise Failed("the image has no ext2, ext3 or ext4 file system there")


def inject(wanted: dict) -> dict[str, str]:
    """:returns: {"files", "key" or "password": why it was not injected}"""
    asked = {"files": wanted["files"], "key": wanted["key"], "password": wanted["password"]}
    failed: dict[str, str] = {}
    try:
        system, start = find(wanted["disk"], wanted["partition"])
    except Failed as error:
        return {name: str(error) for name, value in asked.items() if value}
    before = f"{system.image}.before"
    run("cp", "--sparse=always", "--reflink=auto", system.image, before)

    def files() -> None:
        for file in wanted["files"]:
            system.write(file["path"], base64.b64decode(file["contents"]))
    for name, work in (("files", files), ("key", lambda: add_key(system, wanted["key"])),
                       ("password", lambda: set_password(system, wanted["password"]))):
        if asked[name]:
            try:
                work()
            except Failed as error:
                failed[name] = str(error)
    run("e2fsck", "-fn", system.image)
    write_back(wanted["disk"], start, system.size, before, system.image)
    return failed


if __name__ == "__main__":
    try:
        answer: dict = {"failed": inject(json.load(sys.stdin))}
    except Exception as error:  # boundary of the program
        answer = {"broken": f"{type(error).__name__}: {error}"[:500]}
    json.dump(answer, sys.stdout)
