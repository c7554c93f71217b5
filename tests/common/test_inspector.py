"""Image headers: what is refused, and that nothing crashes."""

import shutil
import struct
import subprocess

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from common import inspector


def qemu_img(*words):
    if not shutil.which("qemu-img"):
        pytest.skip("qemu-img is not installed")
    subprocess.run(["qemu-img", *map(str, words)], check=True, capture_output=True)


@pytest.mark.parametrize(("fmt", "name"), [("qcow2", "qcow2"), ("raw", "raw"), ("vmdk", "vmdk"), ("vdi", "vdi"),
                                           ("vpc", "vhd"), ("vhdx", "vhdx")])
def test_honest_images_are_recognised(tmp_path, fmt, name):
    path = tmp_path / "disk"
    qemu_img("create", "-f", fmt, path, "64M")
    header = inspector.check(path, name)
    assert header.format == name
    if fmt in ("qcow2", "raw", "vmdk", "vdi"):
        assert header.virtual_bytes == 64 << 20


def test_backing_file_is_refused(tmp_path):
    qemu_img("create", "-f", "raw", tmp_path / "base", "1M")
    qemu_img("create", "-f", "qcow2", "-F", "raw", "-b", tmp_path / "base", tmp_path / "disk")
    with pytest.raises(inspector.Hostile):
        inspector.check(tmp_path / "disk", "qcow2")


def test_external_data_file_is_refused(tmp_path):
    qemu_img("create", "-f", "qcow2", "-o", f"data_file={tmp_path}/data,data_file_raw=on", tmp_path / "disk", "1M")
    with pytest.raises(inspector.Hostile):
        inspector.check(tmp_path / "disk", "qcow2")


def test_vmdk_with_a_flat_extent_is_refused(tmp_path):
    qemu_img("create", "-f", "vmdk", "-o", "subformat=monolithicFlat", tmp_path / "disk.vmdk", "1M")
    with pytest.raises(inspector.Hostile):
        inspector.check(tmp_path / "disk.vmdk", "vmdk")


def test_raw_that_is_qcow2_is_refused(tmp_path):
    qemu_img("create", "-f", "qcow2", tmp_path / "disk", "1M")
    with pytest.raises(inspector.Hostile):
        inspector.check(tmp_path / "disk", "raw")


def test_two_things_at_once_are_refused(tmp_path):
    qemu_img("create", "-f", "qcow2", tmp_path / "disk", "1M")
    with open(tmp_path / "disk", "r+b") as out:
        out.seek(0x8000)
        out.write(b"\x01CD001\x01")
    with pytest.raises(inspector.Hostile):
        inspector.inspect(tmp_path / "disk")


def test_impossible_size_is_refused(tmp_path):
    head = struct.pack(">4sIQIIQIIQ", b"QFI\xfb", 3, 0, 0, 16, 1 << 63, 0, 1, 0x30000).ljust(104, b"\0")
    (tmp_path / "disk").write_bytes(head.ljust(1 << 17, b"\0"))
    with pytest.raises(inspector.Hostile):
        inspector.inspect(tmp_path / "disk")


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from([b"QFI\xfb", b"KDMV", b"vhdxfile", b"conectix", b"", b"# Disk DescriptorFile"]), st.binary(max_size=600))
def test_garbage_never_crashes(tmp_path, magic, rest):
    (tmp_path / "disk").write_bytes(magic + rest)
    try:
        inspector.inspect(tmp_path / "disk")
    except inspector.Hostile:
        pass
