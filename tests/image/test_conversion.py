"""Conversion of strangers' images: within limits, by a child that can do nothing else."""

import os
import subprocess

import pytest

from common import errors
from image import conversion

MIB = 1 << 20


def convert(source, disk_format: str, target, wanted: str = "raw", limit: int = 64 * MIB) -> list:
    beats: list = []
    conversion.convert(source, disk_format, target, wanted, limit=limit, beat=lambda: beats.append(1))
    return beats


@pytest.mark.parametrize(("disk_format", "qemu"), [
    ("qcow2", "qcow2"), ("vmdk", "vmdk"), ("vdi", "vdi"), ("vhd", "vpc"), ("vhdx", "vhdx")])
def test_each_format_becomes_raw(tmp_path, disk_format, qemu):
    source, target = tmp_path / "in", tmp_path / "out"
    subprocess.run(["qemu-img", "create", "-q", "-f", qemu, source, "4M"], check=True)
    assert convert(source, disk_format, target), "it says that it works"
    assert target.stat().st_size >= 4 * MIB and not any(target.read_bytes())


def test_a_disk_larger_than_images_may_be(tmp_path):
    source, target = tmp_path / "in", tmp_path / "out"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", source, "1T"], check=True)
    with pytest.raises(errors.StepFailed, match="larger"):
        convert(source, "qcow2", target)
    assert not target.exists()


def test_a_file_that_qemu_cannot_read(tmp_path):
    source, target = tmp_path / "in", tmp_path / "out"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", source, "4M"], check=True)
    data = bytearray(source.read_bytes())
    table = int.from_bytes(data[40:48], "big")
    data[table:table + 8] = (1 << 63 | 0x1FF00).to_bytes(8, "big")  # its first table stands where none can
    source.write_bytes(data)
    with pytest.raises(errors.StepFailed, match="could not be converted to raw") as failed:
        convert(source, "qcow2", target)
    assert str(tmp_path) not in str(failed.value) and not target.exists()


def test_a_lie_is_refused_before_qemu_sees_it(tmp_path):
    source = tmp_path / "in"
    subprocess.run(["qemu-img", "create", "-q", "-f", "raw", tmp_path / "back", "4M"], check=True)
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-b", tmp_path / "back", "-F", "raw", source], check=True)
    with pytest.raises(errors.BadRequest, match="backing"):
        convert(source, "qcow2", tmp_path / "out")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has privileges to give away")
def test_the_child_has_no_network_and_no_privileges(tmp_path, monkeypatch):
    source, target, spy = tmp_path / "in", tmp_path / "out", tmp_path / "bin" / "qemu-img"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", source, "1M"], check=True)
    spy.parent.mkdir()
    spy.write_text('#!/bin/sh\nfor last; do :; done\ncat /proc/self/status /proc/net/dev /proc/self/limits > "$last"\n')
    spy.chmod(0o755)
    monkeypatch.setenv("PATH", f"{spy.parent}:{os.environ['PATH']}")
    convert(source, "qcow2", target)
    seen = target.read_text()
    assert "CapEff:\t0000000000000000" in seen and "NoNewPrivs:\t1" in seen
    assert [line.split(":")[0].strip() for line in seen.splitlines() if ":" in line and line.startswith("    ")] == ["lo"]
    assert "Max address space         2147483648" in seen and f"Max file size             {65 * MIB}" in seen


def test_what_is_converted():
    assert conversion.applies("qcow2", "raw") and not conversion.applies("raw", "raw") and not conversion.applies("qcow2", "")
    assert not conversion.applies("iso", "raw") and not conversion.applies("aki", "raw")
