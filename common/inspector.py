"""Look at a disk image's header before anything else does, and refuse what reaches outside itself.

Written from the published formats: QEMU's docs/interop/qcow2.txt, VMware's
"Virtual Disk Format 5.0", Microsoft's VHD and VHDX specifications, ECMA-119,
VirtualBox's VDI header. Guests write disks too, so this runs at upload and
again at each use. It reads at most a few pages, whatever the headers claim.
"""

import os
import struct

from common import errors

# Formats whose content is opaque: anything that carries another format's signature is refused under these names.
OPAQUE = frozenset(("raw", "aki", "ari", "ami"))
MAX_VIRTUAL_BYTES = 1 << 50


class Hostile(errors.BadRequest):
    kind = "ImageRejected"


class Header:
    """What a file is: ``format`` and ``virtual_bytes`` (the size a guest sees)."""

    def __init__(self, fmt: str, virtual_bytes: int):
        self.format, self.virtual_bytes = fmt, virtual_bytes


def _signatures(head: bytes, tail: bytes, iso: bytes) -> list[str]:
    """Every format whose magic number is present."""
    found = []
    if head[:4] == b"QFI\xfb":
        found.append("qcow2")
    if head[:3] == b"QED" or head[:4] == b"OOOM":
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
        raise Hostile("The qcow2 header is cut short.")
    version, backing_offset, backing_size, cluster_bits, virtual, crypt, l1_size = struct.unpack(">IQIIQII", head[4:40])
    if version not in (2, 3):
        raise Hostile(f"qcow2 version {version} is not known.")
    if backing_offset or backing_size:
        raise Hostile("The qcow2 image refers to a backing file.")
    if crypt:
        raise Hostile("Encrypted qcow2 images are not accepted.")
    if not 9 <= cluster_bits <= 21:
        raise Hostile("The qcow2 cluster size is out of range.")
    # One L1 entry maps a table of 2^(bits-3) clusters of 2^bits bytes.
    if l1_size > (32 << 20) // 8 or virtual > max(l1_size, 0) << (2 * cluster_bits - 3):
        raise Hostile("The qcow2 size does not agree with its tables.")
    end = 72
    if version == 3:
        if len(head) < 104:
            raise Hostile("The qcow2 header is cut short.")
        incompatible, end = struct.unpack(">Q", head[72:80])[0], struct.unpack(">I", head[100:104])[0]
        if incompatible & 0x4:
            raise Hostile("The qcow2 image refers to an external data file.")
        if incompatible & ~0x1B:
            raise Hostile("The qcow2 image needs features that are not known.")
    _qcow2_extensions(head, end)
    return virtual


def _qcow2_extensions(head: bytes, end: int) -> None:
    """Refuse header extensions that name another file."""
    while 72 <= end <= len(head) - 8:
        kind, length = struct.unpack(">II", head[end:end + 8])
        if kind == 0:
            return
        if kind in (0xE2792ACA, 0x44415441):  # backing format name, external data file name
            raise Hostile("The qcow2 image names another file in its header.")
        end += 8 + (length + 7) // 8 * 8


def _vmdk(head: bytes, handle, size: int) -> int:
    if head[:4] != b"KDMV":
        raise Hostile("Only VMDK files of one sparse extent are accepted.")
    capacity, _, offset, length = struct.unpack("<QQQQ", head[12:44])
    if not 0 < length <= 128 or not 0 < offset or (offset + length) * 512 > size:
        raise Hostile("The VMDK descriptor is missing or out of place.")
    handle.seek(offset * 512)
    lines = [ln.strip() for ln in handle.read(length * 512).split(b"\0")[0].decode("latin-1").splitlines()]
    kinds = [ln.split("=", 1)[1].strip().strip('"') for ln in lines if ln.lower().startswith("createtype")]
    if kinds not in (["monolithicSparse"], ["streamOptimized"]):
        raise Hostile("Only monolithicSparse and streamOptimized VMDK files are accepted.")
    extents = [ln for ln in lines if ln.split(" ")[0] in ("RW", "RDONLY", "NOACCESS")]
    if len(extents) != 1 or " SPARSE " not in extents[0] or "/" in extents[0] or ".." in extents[0]:
        raise Hostile("The VMDK image refers to other files.")
    if any(ln.lower().startswith("parentfilenamehint") for ln in lines):
        raise Hostile("The VMDK image refers to a parent.")
    return capacity * 512


def inspect(path) -> Header:
    """What the file at ``path`` is.

    :raises Hostile: it reaches outside itself, lies about itself, or is two things at once
    """
    try:
        return _inspect(path)
    except struct.error:
        raise Hostile("The image's header is cut short.") from None


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
            raise Hostile("The image is of a format that is not accepted.")
        if len(found) > 1:
            raise Hostile(f"The image is {' and '.join(found)} at once.")
        fmt = found[0] if found else "raw"
        virtual = size
        if fmt == "qcow2":
            virtual = _qcow2(head, size)
        elif fmt == "vmdk":
            virtual = _vmdk(head, handle, size)
        elif fmt == "vdi" and len(head) >= 376:
            virtual = struct.unpack("<Q", head[368:376])[0]
        elif fmt == "vhd":
            footer = tail if tail[:8] == b"conectix" else head[:512]
            kind = struct.unpack(">I", footer[60:64])[0]
            if kind == 4:
                raise Hostile("Differencing VHD images are not accepted.")
            virtual = struct.unpack(">Q", footer[48:56])[0]
        if virtual > MAX_VIRTUAL_BYTES:
            raise Hostile("The image claims a size that no disk has.")
        return Header(fmt, virtual)


def check(path, declared: str) -> Header:
    """Inspect, and insist that the file is what its owner declared.

    :param declared: a disk_format of the image API
    :raises Hostile: it is something else, or hostile
    """
    header = inspect(path)
    if declared in OPAQUE:
        # An ISO is raw to QEMU: it is read byte by byte and refers to nothing.
        if header.format not in ("raw", "iso"):
            raise Hostile(f"The image is declared {declared}, but its content is {header.format}.")
    elif header.format != declared:
        raise Hostile(f"The image is declared {declared}, but its content is {header.format}.")
    return header
