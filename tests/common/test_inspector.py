"""Image headers: what is refused, and that nothing crashes."""

import shutil
import struct
import subprocess

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from common import inspector
from tests import fuzz


def qemu_img(*words):
    if not shutil.which("qemu-img"):
        pytest.skip("qemu-img is not installed")
    subprocess.run(["qemu-img", *map(str, words)], check=True, capture_output=True)


@pytest.mark.parametrize(("fmt", "options", "name"), [
    ("qcow2", "", "qcow2"), ("qcow2", "compat=0.10", "qcow2"), ("qcow2", "cluster_size=2M", "qcow2"),
    ("qcow2", "extended_l2=on,cluster_size=128k", "qcow2"), ("raw", "", "raw"), ("vmdk", "", "vmdk"),
    ("vmdk", "subformat=streamOptimized", "vmdk"), ("vdi", "", "vdi"), ("vdi", "static=on", "vdi"),
    ("vpc", "force_size=on", "vhd"), ("vpc", "subformat=fixed,force_size=on", "vhd"), ("vhdx", "", "vhdx"),
    ("vhdx", "subformat=fixed", "vhdx")])
def test_honest_images_are_recognised(tmp_path, fmt, options, name):
    (tmp_path / "source").write_bytes(b"data".ljust(16 << 20, b"\0"))
    path = tmp_path / "disk"
    qemu_img("convert", "-f", "raw", "-O", fmt, *(["-o", options] if options else []), tmp_path / "source", path)
    header = inspector.check(path, name)
    assert (header.format, header.virtual_bytes) == (name, 16 << 20)


def altered(tmp_path, fmt: str, *changes: tuple[int, bytes], options: str = ""):
    """An honest file of a format, with bytes in it replaced: [(offset, from its end where negative, bytes)]."""
    path = tmp_path / "altered"
    qemu_img("create", "-f", fmt, *(["-o", options] if options else []), path, "1M")
    data = bytearray(path.read_bytes())
    for at, text in changes:
        at = at if at >= 0 else len(data) + at
        data[at:at + len(text)] = text
    path.write_bytes(data)
    return path


def vmdk_text(tmp_path) -> str:
    return altered(tmp_path, "vmdk").read_bytes()[512:512 + 20 * 512].split(b"\0")[0].decode()


HINT = 'parentFileNameHint="/etc/passwd"\n'


@pytest.mark.parametrize("text", [HINT, f"x {HINT}", HINT.upper(), f"\0{HINT}"])
def test_vmdk_that_names_a_parent_anywhere_is_refused(tmp_path, text):
    """qemu looks for the word, wherever in the descriptor it is."""
    descriptor = (vmdk_text(tmp_path) + text).encode()
    with pytest.raises(inspector.UnsafeImage):
        inspector.check(altered(tmp_path, "vmdk", (512, descriptor)), "vmdk")


def test_vmdk_whose_descriptor_is_elsewhere_is_refused(tmp_path):
    """qemu reads the parent's name at the second sector, wherever the header says that the descriptor is."""
    honest = vmdk_text(tmp_path)
    evil = honest.replace("parentCID=ffffffff", "parentCID=00000001") + HINT
    path = altered(tmp_path, "vmdk", (512, evil.encode()))
    data = path.read_bytes()
    moved = bytearray(data.ljust(-(-len(data) // 512) * 512, b"\0"))
    struct.pack_into("<Q", moved, 28, len(moved) // 512)
    path.write_bytes(moved + honest.encode().ljust(20 * 512, b"\0"))
    seen = subprocess.run(["qemu-img", "info", "-f", "vmdk", str(path)], capture_output=True, text=True).stdout
    assert "backing file: /etc/passwd" in seen, "this is how it would be read"
    with pytest.raises(inspector.UnsafeImage):
        inspector.check(path, "vmdk")


@pytest.mark.parametrize(("fmt", "name", "changes"), [
    ("vmdk", "vmdk", [(12, b"\0" * 8)]),                     # no size: its extents would be looked for by their names
    ("vmdk", "vmdk", [(4, b"\x09")]),                        # a version to come
    ("vmdk", "vmdk", [(36, b"\xff\xff")]),                   # a descriptor past the file's end
    ("qcow2", "qcow2", [(40, b"\x7f" * 8)]),                 # its first table, its refcounts, its snapshots past the end
    ("qcow2", "qcow2", [(48, b"\x7f" * 8)]), ("qcow2", "qcow2", [(64, b"\x7f" * 8)]),
    ("qcow2", "qcow2", [(36, b"\0\0\0\0")]),                # a size that its tables cannot map
    ("qcow2", "qcow2", [(79, b"\x20")]), ("qcow2", "qcow2", [(32, b"\0\0\0\1")]),  # an unknown feature, encryption
    ("vdi", "vdi", [(76, b"\4")]), ("vdi", "vdi", [(440, b"\1")]),                  # a difference, and to which
    ("vpc", "vhd", [(63, b"\4"), (-449, b"\4")]),            # a difference
    ("vpc", "vhd", [(63, b"\4")]), ("vpc", "vhd", [(48, b"\1")]),  # two footers that differ
    ("vpc", "vhd", [(-512, b"\0" * 8)]),                     # one of them gone
    ("vpc", "vhd", [(512 + 40, b"\1")]), ("vpc", "vhd", [(512 + 576, b"W2ku")]),      # a parent, and where it is
    ("vhdx", "vhdx", [((64 << 10) + 48, b"\1" * 16)]),       # a log
    ("vhdx", "vhdx", [(192 << 10, b"none")]), ("vhdx", "vhdx", [((192 << 10) + 8, b"\xff" * 4)]),
])
def test_what_lies_or_leads_elsewhere_is_refused(tmp_path, fmt, name, changes):
    inspector.check(altered(tmp_path, fmt), name)
    with pytest.raises(inspector.UnsafeImage):
        inspector.check(altered(tmp_path, fmt, *changes), name)


@pytest.mark.parametrize("at", ["flags", "entry"])
def test_vhdx_with_a_parent_is_refused(tmp_path, at):
    path = altered(tmp_path, "vhdx")
    data = bytearray(path.read_bytes())
    start = data.index(b"metadata", 256 << 10)
    entry = data.index(inspector._VHDX_FILE, start)
    if at == "entry":
        data[entry:entry + 16] = inspector._VHDX_PARENT
    else:
        data[start + struct.unpack_from("<I", data, entry + 16)[0] + 4] |= 2
    path.write_bytes(data)
    with pytest.raises(inspector.UnsafeImage, match="Differencing|incomplete"):
        inspector.check(path, "vhdx")


@pytest.mark.alone
def test_a_short_fuzz_finds_nothing(tmp_path):
    """The long one is run by hand: python -m tests.fuzz"""
    qemu_img("--version")
    tried, accepted, wrong = fuzz.run(4, 1, 1, ["qemu-img"], str(tmp_path))
    assert tried > 20 and accepted > 5 and not wrong


def test_backing_file_is_refused(tmp_path):
    qemu_img("create", "-f", "raw", tmp_path / "base", "1M")
    qemu_img("create", "-f", "qcow2", "-F", "raw", "-b", tmp_path / "base", tmp_path / "disk")
    with pytest.raises(inspector.UnsafeImage):
        inspector.check(tmp_path / "disk", "qcow2")


def test_external_data_file_is_refused(tmp_path):
    qemu_img("create", "-f", "qcow2", "-o", f"data_file={tmp_path}/data,data_file_raw=on", tmp_path / "disk", "1M")
    with pytest.raises(inspector.UnsafeImage):
        inspector.check(tmp_path / "disk", "qcow2")


def test_vmdk_with_a_flat_extent_is_refused(tmp_path):
    qemu_img("create", "-f", "vmdk", "-o", "subformat=monolithicFlat", tmp_path / "disk.vmdk", "1M")
    with pytest.raises(inspector.UnsafeImage):
        inspector.check(tmp_path / "disk.vmdk", "vmdk")


def test_raw_that_is_qcow2_is_refused(tmp_path):
    qemu_img("create", "-f", "qcow2", tmp_path / "disk", "1M")
    with pytest.raises(inspector.UnsafeImage):
        inspector.check(tmp_path / "disk", "raw")


def test_two_things_at_once_are_refused(tmp_path):
    qemu_img("create", "-f", "qcow2", tmp_path / "disk", "1M")
    with open(tmp_path / "disk", "r+b") as out:
        out.seek(0x8000)
        out.write(b"\x01CD001\x01")
    with pytest.raises(inspector.UnsafeImage):
        inspector.inspect(tmp_path / "disk")


def test_impossible_size_is_refused(tmp_path):
    head = struct.pack(">4sIQIIQIIQ", b"QFI\xfb", 3, 0, 0, 16, 1 << 63, 0, 1, 0x30000).ljust(104, b"\0")
    (tmp_path / "disk").write_bytes(head.ljust(1 << 17, b"\0"))
    with pytest.raises(inspector.UnsafeImage):
        inspector.inspect(tmp_path / "disk")


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from([b"QFI\xfb", b"KDMV", b"vhdxfile", b"conectix", b"", b"# Disk DescriptorFile"]), st.binary(max_size=600))
def test_garbage_never_crashes(tmp_path, magic, rest):
    (tmp_path / "disk").write_bytes(magic + rest)
    try:
        inspector.inspect(tmp_path / "disk")
    except inspector.UnsafeImage:
        pass
