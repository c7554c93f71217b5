"""What an image has for a container: an archive of files, or a disk with a file system.

Sources of the formats: tar of POSIX.1-1988, the magic numbers of gzip, xz, bzip2 and zstd, the superblock of ext4 (kernel's
Documentation/filesystems/ext4), the partition tables of a PC and of UEFI (2.10, 5.3).
"""

import dataclasses
import os
import struct
import typing

_COMPRESSIONS = ((b"\x1f\x8b", "--gzip"), (b"\xfd7zXZ\0", "--xz"), (b"BZh", "--bzip2"), (b"\x28\xb5\x2f\xfd", "--zstd"))
_SECTOR = 512
_EXT_MAGIC_AT, _EXT_MAGIC = 1024 + 56, b"\x53\xef"
_GPT, _MOST_PARTITIONS = 0xEE, 128


@dataclasses.dataclass(frozen=True)
class Archive:
    """A tar archive. ``options``: of tar, to read it."""

    options: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class FileSystem:
    """An ext2, ext3 or ext4 file system. ``offset``: where it begins, in bytes."""

    offset: int


def of(path: str | os.PathLike) -> Archive | FileSystem | None:
    """What is in a file, which is an archive or a raw disk. None: nothing that a container can be made of."""
    with open(path, "rb") as image:
        head = image.read(_SECTOR)
        for magic, option in _COMPRESSIONS:
            if head.startswith(magic):
                return Archive((option,))
        if head[257:262] == b"ustar":
            return Archive(())
        found = [at for at in (0, *_partitions(image, head)) if _has_ext(image, at)]
    return FileSystem(found[0]) if found else None


def _has_ext(image: typing.BinaryIO, offset: int) -> bool:
    image.seek(offset + _EXT_MAGIC_AT)
    return image.read(2) == _EXT_MAGIC


def _partitions(image: typing.BinaryIO, head: bytes) -> list[int]:
    """Where partitions begin, in bytes, the largest first."""
    if head[510:512] != b"\x55\xaa":
        return []
    entries = [struct.unpack("<4xB3xII", head[446 + 16 * n:462 + 16 * n]) for n in range(4)]
    if any(kind == _GPT for kind, _, _ in entries):
        found = _gpt_partitions(image)
    else:
        found = [(count, start) for kind, start, count in entries if kind]
    return [start * _SECTOR for _, start in sorted(found, reverse=True)]


def _gpt_partitions(image: typing.BinaryIO) -> list[tuple[int, int]]:
    """[(number of sectors, first sector)]"""
    image.seek(_SECTOR)
    header = image.read(92)
    if header[:8] != b"EFI PART":
        return []
    at, count, size = struct.unpack("<QII", header[72:88])
    if not 128 <= size <= 4096 or at >= 1 << 50:
        return []
    image.seek(at * _SECTOR)
    table = image.read(min(count, _MOST_PARTITIONS) * size)
    entries = [struct.unpack("<QQ", table[n + 32:n + 48]) for n in range(0, len(table) - size + 1, size)]
    return [(last - first + 1, first) for first, last in entries if 0 < first <= last < 1 << 50]
