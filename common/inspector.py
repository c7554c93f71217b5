"""Inspects the header of a disk image before any other program reads it, and refuses images that refer to other files.

Written from the published formats: QEMU's docs/interop/qcow2.txt, VMware's "Virtual Disk Format 5.0", Microsoft's VHD and VHDX
specifications, ECMA-119, VirtualBox's VDI header. Guests write disks too, so this runs at upload and again before each use. It
reads at most a few pages, whatever the headers claim.
"""

import os
import struct

from common import errors

# Formats with opaque content: images with the signature of another format are refused.
OPAQUE = frozenset(("raw", "aki", "ari", "ami"))
MAX_VIRTUAL_BYTES = 1 << 50


class UnsafeImage(errors.BadRequest):
    kind = "ImageRejected"


class Header:
    """A file's ``format`` and ``virtual_bytes``, the size that a guest sees."""

    def __init__(self, fmt: str, virtual_bytes: int):
        self.format, self.virtual_bytes = fmt, virtual_bytes


def _signatures(head: bytes, tail: bytes, iso: bytes) -> list[str]:
    """All formats whose magic number is present."""
    found = []
    if head[:4] == b"QFI\xfb":
        found.append("qcow2")
    if head[:3] == b"QED" or head[:4] == b"OOOM" or head[:22] == b"Bochs Virtual HD Image" or head.startswith(
            b"#!/bin/sh\n#V2.0 Format"):
        found.append("unknown")
    if head[:4] in (b"KDMV", b"COWD") or head[:512].lstrip().startswith(b"# Disk DescriptorFile"):
        found.append("vmdk")
    if head[:8] == b"vhdxfile":
        found.append("vhdx")
    if head[:8] == b"conectix" or tail[:8] == b"conectix":
        found.append("vhd")
    if head[64:68] == b"\x7f\x10\xda\xbe":
        found.append("vdi")
    if head[:16] in (b"WithoutFreeSpace", b"WithouFreSpacExt"):
        found.append("ploop")
    if head[:4] == b"LUKS":
        found.append("luks")
    if iso[1:6] == b"CD001":
        found.append("iso")
    return found


def _qcow2(head: bytes, size: int) -> int:
    if len(head) < 72:
        raise UnsafeImage("The qcow2 header is cut short.")
    version, backing_offset, backing_size, cluster_bits, virtual, crypt, l1_size = struct.unpack(">IQIIQII", head[4:40])
    l1_offset, refcounts, refcount_clusters, _, snapshots = struct.unpack(">QQIIQ", head[40:72])
    if version not in (2, 3):
        raise UnsafeImage(f"qcow2 version {version} is not known.")
    if backing_offset or backing_size:
        raise UnsafeImage("The qcow2 image refers to a backing file.")
    if crypt:
        raise UnsafeImage("Encrypted qcow2 images are not accepted.")
    if not 9 <= cluster_bits <= 21:
        raise UnsafeImage("The qcow2 cluster size is out of range.")
    end, incompatible = 72, 0
    if version == 3:
        if len(head) < 104:
            raise UnsafeImage("The qcow2 header is cut short.")
        incompatible, end = struct.unpack(">Q", head[72:80])[0], struct.unpack(">I", head[100:104])[0]
        if incompatible & 0x4:
            raise UnsafeImage("The qcow2 image refers to an external data file.")
        if incompatible & ~0x1B or end < 104:
            raise UnsafeImage("The qcow2 image needs features that are not known.")
    # One L1 entry maps a table of one cluster; its entries have 8 bytes, or 16 with subclusters.
    reach = 2 * cluster_bits - (4 if incompatible & 0x10 else 3)
    if l1_size > (32 << 20) // 8 or virtual > l1_size << reach or max(
            l1_offset + 8 * l1_size, refcounts + (refcount_clusters << cluster_bits), snapshots) > size:
        raise UnsafeImage("The qcow2 size does not agree with its tables.")
    _qcow2_extensions(head, end)
    return virtual


def _qcow2_extensions(head: bytes, end: int) -> None:
    """Refuse header extensions that name another file."""
    while 72 <= end <= len(head) - 8:
        kind, length = struct.unpack(">II", head[end:end + 8])
        if kind == 0:
            return
        if kind in (0xE2792ACA, 0x44415441):  # backing format name, external data file name
            raise UnsafeImage("The qcow2 image names another file in its header.")
        end += 8 + (length + 7) // 8 * 8


def _vmdk(head: bytes, handle, size: int) -> int:
    """One sparse extent. Readers look for the descriptor in different ways: at the offset in the header, at the second sector, or
    by keywords anywhere in it. So all of them must find the same one.
    """
    if head[:4] != b"KDMV":
        raise UnsafeImage("Only VMDK files of one sparse extent are accepted.")
    version, _, capacity, _, offset, length = struct.unpack("<IIQQQQ", head[4:44])
    tables = struct.unpack("<Q", head[56:64])[0]
    if not 1 <= version <= 3 or not capacity:
        raise UnsafeImage("The VMDK header is none of a sparse extent.")
    if offset != 1 or not 0 < length <= 127 or (offset + length) * 512 > size:
        raise UnsafeImage("The VMDK descriptor is missing or out of place.")
    if tables == (1 << 64) - 1:  # the tables are at the end, and with them a second header that counts
        handle.seek(max(0, size - 1024))
        last = handle.read(44)
        if len(last) < 44 or last[:8] + last[12:] != head[:8] + head[12:44]:  # all but its flags
            raise UnsafeImage("The VMDK file's two headers differ.")
    region = head[512:512 + max(length, 20) * 512]
    if b"parentfilenamehint" in region.lower():
        raise UnsafeImage("The VMDK image refers to a parent.")
    lines = [ln.strip() for ln in region[:length * 512].split(b"\0")[0].decode("latin-1").splitlines()]
    kinds = [ln.split("=", 1)[1].strip().strip('"') for ln in lines if ln.lower().startswith("createtype") and "=" in ln]
    if kinds not in (["monolithicSparse"], ["streamOptimized"]):
        raise UnsafeImage("Only monolithicSparse and streamOptimized VMDK files are accepted.")
    extents = [ln for ln in lines if ln.split(" ")[0] in ("RW", "RDONLY", "NOACCESS")]
    if len(extents) != 1 or " SPARSE " not in extents[0] or "/" in extents[0] or ".." in extents[0]:
        raise UnsafeImage("The VMDK image refers to other files.")
    if any(ln.lower().replace(" ", "").startswith("parentcid=") and not ln.lower().endswith("ffffffff") for ln in lines):
        raise UnsafeImage("The VMDK image refers to a parent.")
    return capacity * 512


# GUIDs as a VHDX file stores them (Microsoft's VHDX specification 1.00, 2.2.3 and 2.6).
_VHDX_METADATA = bytes.fromhex("06a27c8b90479a4bb8fe575f050f886e")
_VHDX_SIZE = bytes.fromhex("2442a52f1bcd7648b2115dbed83bf4b8")
_VHDX_FILE = bytes.fromhex("3767a1ca36fa434db3b633f0aa44e76b")
_VHDX_PARENT = bytes.fromhex("2d5fd3a80bb34d45abf7d3d84834ab0c")


def _vhdx(handle) -> int:
    """The disk's size in bytes. Refuses a parent, and a log, which would be replayed when the file is opened."""
    for at in (64 << 10, 128 << 10):
        handle.seek(at)
        header = handle.read(64)
        if header[:4] == b"head" and any(header[48:64]):
            raise UnsafeImage("The VHDX image was not closed: it has a log.")
    handle.seek(192 << 10)
    table = handle.read(64 << 10)
    regions = dict((guid, offset) for guid, offset, _, _ in _entries(table, b"regi", 8, 16, "<16sQII"))
    if _VHDX_METADATA not in regions or regions[_VHDX_METADATA] >= 1 << 62:
        raise UnsafeImage("The VHDX image has no metadata.")
    start = regions[_VHDX_METADATA]
    handle.seek(start)
    items = {guid: offset for guid, offset, _, _, _ in _entries(handle.read(64 << 10), b"metadata", 10, 32, "<16sIIII")}
    if _VHDX_PARENT in items:
        raise UnsafeImage("Differencing VHDX images are not accepted.")
    if not {_VHDX_SIZE, _VHDX_FILE} <= set(items):
        raise UnsafeImage("The VHDX image's metadata is incomplete.")
    handle.seek(start + items[_VHDX_FILE])
    _, flags = struct.unpack("<II", handle.read(8))
    if flags & 2:
        raise UnsafeImage("Differencing VHDX images are not accepted.")
    handle.seek(start + items[_VHDX_SIZE])
    return struct.unpack("<Q", handle.read(8))[0]


def _entries(table: bytes, magic: bytes, count_at: int, first: int, form: str):
    """The entries of one of VHDX's tables. :raises UnsafeImage: it is none, or twice the same"""
    count = struct.unpack("<I" if first == 16 else "<H", table[count_at:count_at + (4 if first == 16 else 2)])[0]
    if not table.startswith(magic) or count > 2047:
        raise UnsafeImage("A table of the VHDX image is damaged.")
    found = [struct.unpack(form, table[first + 32 * n:first + 32 * n + 32]) for n in range(count)]
    if len({each[0] for each in found}) != count:
        raise UnsafeImage("A table of the VHDX image is damaged.")
    return found


def _vdi(head: bytes) -> int:
    if len(head) < 512:
        raise UnsafeImage("The VDI header is cut short.")
    version, _, kind = struct.unpack("<III", head[68:80])
    if version != 0x10001 or kind not in (1, 2):
        raise UnsafeImage("Only dynamic and fixed VDI images are accepted.")
    if any(head[424:456]):  # of what it is a difference to
        raise UnsafeImage("Differencing VDI images are not accepted.")
    return struct.unpack("<Q", head[368:376])[0]


def _vhd(head: bytes, tail: bytes, handle, size: int) -> int:
    """A VHD file has a footer at its end; a dynamic one has a copy at its start. Readers differ in which of them they use."""
    found = [each for each in (head[:512], tail) if each[:8] == b"conectix"]
    kinds = {struct.unpack(">I", each[60:64])[0] for each in found}
    sizes = {struct.unpack(">Q", each[48:56])[0] for each in found}
    if len(kinds) != 1 or len(sizes) != 1 or not kinds <= {2, 3}:
        raise UnsafeImage("Only fixed and dynamic VHD images are accepted, whose footers agree.")
    virtual = sizes.pop()
    if kinds == {2}:
        if head[:8] == b"conectix" or virtual > size:
            raise UnsafeImage("The VHD image is not of the size that it claims.")
        return virtual
    if len(found) != 2:
        raise UnsafeImage("The dynamic VHD image has lost its footer, or the copy of it.")
    for each in found:
        handle.seek(min(struct.unpack(">Q", each[16:24])[0], size))
        dynamic = handle.read(1024)
        if len(dynamic) < 1024 or dynamic[:8] != b"cxsparse" or any(dynamic[40:56]) or any(dynamic[576:768]):
            raise UnsafeImage("The VHD image's dynamic header is damaged, or names a parent.")
    return virtual


def inspect(path) -> Header:
    """The format and size of the file at ``path``.

    :raises UnsafeImage: it reaches outside itself, lies about itself, or is two things at once
    """
    try:
        return _inspect(path)
    except struct.error:
        raise UnsafeImage("The image's header is cut short.") from None


def _inspect(path) -> Header:
    with open(path, "rb") as handle:
        size = os.fstat(handle.fileno()).st_size
        head = handle.read(65536)
        handle.seek(max(0, size - 512))
        tail = handle.read(512)
        handle.seek(0x8000)
        iso = handle.read(8)
        found = _signatures(head, tail, iso)
        if "unknown" in found:
            raise UnsafeImage("The image is of a format that is not accepted.")
        if len(found) > 1:
            raise UnsafeImage(f"The image is {' and '.join(found)} at once.")
        fmt = found[0] if found else "raw"
        virtual = size
        if fmt == "qcow2":
            virtual = _qcow2(head, size)
        elif fmt == "vmdk":
            virtual = _vmdk(head, handle, size)
        elif fmt == "vdi":
            virtual = _vdi(head)
        elif fmt == "vhdx":
            virtual = _vhdx(handle)
        elif fmt == "vhd":
            virtual = _vhd(head, tail, handle, size)
        if virtual > MAX_VIRTUAL_BYTES:
            raise UnsafeImage("The image claims a size that no disk has.")
        return Header(fmt, virtual)


def check(path, declared: str) -> Header:
    """Inspect a file, and check that it has the declared format.

    :param declared: a disk_format of the image API
    :raises UnsafeImage: it is something else, or hostile
    """
    header = inspect(path)
    if declared in OPAQUE:
        # QEMU reads an ISO as raw: byte by byte, without references.
        if header.format not in ("raw", "iso"):
            raise UnsafeImage(f"The image is declared {declared}, but its content is {header.format}.")
    elif header.format != declared:
        raise UnsafeImage(f"The image is declared {declared}, but its content is {header.format}.")
    return header
