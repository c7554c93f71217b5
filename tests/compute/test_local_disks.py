"""Ephemeral and swap disks: what a request and a flavor make of them, and the files that hosts make."""

import shutil
import string
import subprocess

import pytest

from common import errors, guest
from compute_agent.virt.libvirt import local_disks as host_disks
from compute_agent.virt.libvirt.files import Files
from compute_agent.virt.libvirt.users import Users
from compute_api import devices, local_disks

FLAVOR = {"disk": 1, "ephemeral": 10, "swap": 512}
UUID = "11111111-2222-3333-4444-555555555555"
needs_mkfs = pytest.mark.skipif(not shutil.which("mkfs.ext4", path=host_disks._PATH), reason="needs mkfs")


def ephemeral(size=None, **more) -> dict:
    return {"source_type": "blank", "destination_type": "local", "volume_size": size, "boot_index": -1, **more}


def swap(size=None) -> dict:
    return ephemeral(size, guest_format="swap")


def shapes(disks: list[dict]) -> list[tuple]:
    return [(d["device_name"][-3:], d["kind"], d["size_mb"], d["format"]) for d in disks]


WHOLE, SWAP = ("vdb", "ephemeral", 10240, None), ("vdc", "swap", 512, None)


@pytest.mark.parametrize("asked, found", [
    ([], [WHOLE, SWAP]), ([ephemeral()], [WHOLE, SWAP]), ([ephemeral(0)], [WHOLE, SWAP]), ([swap()], [WHOLE, SWAP]),
    ([ephemeral(3, guest_format="xfs")], [("vdb", "ephemeral", 3072, "xfs"), SWAP]),
    ([swap(100)], [WHOLE, ("vdc", "swap", 100, None)]), ([swap(0)], [WHOLE]),
    ([swap(0), ephemeral(4), ephemeral("6")], [("vdb", "ephemeral", 4096, None), ("vdc", "ephemeral", 6144, None)]),
    ([{"source_type": "volume", "destination_type": "volume", "uuid": "v"}, ephemeral(1, no_device=True)], [WHOLE, SWAP])],
    ids=str)
def test_disks_of_a_new_server(asked, found):
    assert shapes(local_disks.of(FLAVOR, asked, root=True, most=3)) == found


@pytest.mark.parametrize("asked, says", [
    ([ephemeral(11)], "Ephemeral disks requested are larger"), ([ephemeral(6), ephemeral(5)], "Ephemeral disks requested"),
    ([ephemeral(), ephemeral()], "Ephemeral disks requested are larger"), ([swap(513)], "Swap drive requested is larger"),
    ([swap(1), swap(1)], "More than one swap"), ([ephemeral(1), ephemeral(1)], "more local devices than the limit"),
    ([ephemeral(1, guest_format="ext4; rm")], "is not one of"), ([ephemeral(1, boot_index=0)], "Boot sequence"),
    ([ephemeral(1, volume_type="fast")], "volume_type"), ([ephemeral(1, uuid="u")], "UUID"), ([ephemeral("x")], "volume_size")],
    ids=str)
def test_more_than_the_flavor_has_is_refused(asked, says):
    with pytest.raises(errors.BadRequest, match=says):
        local_disks.of(FLAVOR, asked, root=True, most=3)


def test_the_limit_counts_the_root_disk_and_may_be_lifted():
    asked = [ephemeral(1), ephemeral(1)]
    assert len(local_disks.of(FLAVOR, asked, root=False, most=3)) == 3
    assert len(local_disks.of(FLAVOR, asked, root=True, most=-1)) == 3


def test_a_resize_grows_the_last_ephemeral_disk_and_names_new_disks_after_the_volumes():
    old = {**FLAVOR, "local_disks": local_disks.of(FLAVOR, [ephemeral(4, guest_format="vfat"), ephemeral(2)], root=True, most=-1)}
    new = local_disks.resized(old, {"disk": 1, "ephemeral": 15, "swap": 1024}, {"/dev/vde"})
    assert shapes(new) == [("vdb", "ephemeral", 4096, "vfat"), ("vdc", "ephemeral", 7168, None), ("vdd", "swap", 1024, None)]
    assert shapes(local_disks.resized(old, {**FLAVOR, "swap": 0}, set())) == [
        ("vdb", "ephemeral", 4096, "vfat"), ("vdc", "ephemeral", 2048, None)]
    none = {"disk": 1, "ephemeral": 0, "swap": 0, "local_disks": []}
    assert shapes(local_disks.resized(none, FLAVOR, {"/dev/vdb", "/dev/vdd"})) == [
        ("vdc", "ephemeral", 10240, None), ("vde", "swap", 512, None)]


def test_a_server_that_had_no_disk_of_its_flavor_gets_none_by_a_resize_to_as_much():
    """It is of a release that made none."""
    assert local_disks.resized({"disk": 1, "ephemeral": 10, "swap": 0}, {**FLAVOR, "swap": 0}, set()) == []


def test_more_devices_than_there_are_names_are_refused():
    with pytest.raises(errors.BadRequest, match="more devices"):
        local_disks.of({**FLAVOR, "ephemeral": 30}, [ephemeral(1) for _ in range(25)], root=True, most=-1)
    taken = {f"/dev/vd{letter}" for letter in string.ascii_lowercase}
    with pytest.raises(errors.BadRequest, match="more devices"):
        local_disks.resized({**FLAVOR, "swap": 0, "local_disks": []}, FLAVOR, taken)
    row = {"uuid": UUID, "root_device_name": "/dev/vda", "flavor": {"local_disks": local_disks.of(
        FLAVOR, [], root=True, most=-1)}}
    volume = {"volume_id": "v", "boot_index": None, "delete_on_termination": False, "tag": None, "multiattach": False}
    with pytest.raises(errors.BadRequest, match="more devices"):
        devices.insert(None, row, [volume] * 24)


def test_disk_that_a_host_is_charged_for():
    assert local_disks.host_disk_gb(FLAVOR, root=True) == 12 and local_disks.host_disk_gb(FLAVOR, root=False) == 11
    assert local_disks.host_disk_gb({"disk": 1, "ephemeral": 0, "swap": 1025}, root=True) == 3


def instance(*disks: tuple, os_type: str | None = None) -> dict:
    """:param disks: (kind, MiB, format)"""
    found = [{"device_name": f"/dev/vd{letter}", "kind": kind, "size_mb": size_mb, "format": wanted}
             for letter, (kind, size_mb, wanted) in zip("bcdef", disks)]
    return {"uuid": UUID, "flavor": {"disk": 1, "local_disks": found},
            "image_meta": {"disk_format": "qcow2", "properties": {"os_type": os_type} if os_type else {}}}


@pytest.fixture
def files(tmp_path):
    return Files(tmp_path / "instances", tmp_path, Users(tmp_path, 0, 0, "none"))


def kinds(files: Files) -> list[tuple]:
    """(target, file system, label) of each disk, as blkid finds them."""
    found = []
    for disk in files.plan(UUID)["local"]:
        lines = subprocess.run(["blkid", "-p", "-o", "export", disk["path"]], capture_output=True, text=True, check=True).stdout
        known = dict(line.split("=", 1) for line in lines.splitlines())
        found.append((disk["target"], known["TYPE"], known["LABEL"]))
    return found


@needs_mkfs
def test_disks_are_formatted_and_labelled(files):
    files.prepare(instance(("ephemeral", 64, None), ("ephemeral", 64, "vfat"), ("swap", 16, None)), {})
    assert kinds(files) == [("vdb", "ext4", "ephemeral0"), ("vdc", "vfat", "EPHEMERAL1"), ("vdd", "swap", "swap")]


@needs_mkfs
def test_what_the_guest_wrote_is_kept_while_a_disk_grows(files):
    files.prepare(instance(("ephemeral", 64, None), ("swap", 16, None)), {})
    ephemeral_path, swap_path = (d["path"] for d in files.plan(UUID)["local"])
    with open(ephemeral_path, "r+b") as disk:
        disk.seek(60 << 20)
        disk.write(b"kept")
    files.prepare(instance(("ephemeral", 128, None), ("swap", 32, None)), {})
    with open(ephemeral_path, "rb") as disk:
        disk.seek(60 << 20)
        assert disk.read(4) == b"kept" and disk.seek(0, 2) == 128 << 20
    assert kinds(files) == [("vdb", "ext4", "ephemeral0"), ("vdc", "swap", "swap")]
    with open(swap_path, "rb") as disk:
        assert disk.seek(0, 2) == 32 << 20


def test_the_file_system_is_the_one_asked_for_else_the_hosts_else_the_image_s():
    def chosen(wanted, default, os_type):
        server = instance(("ephemeral", 64, wanted), os_type=os_type)
        return host_disks._format(server, server["flavor"]["local_disks"][0], default)
    assert [chosen(*each) for each in (("xfs", "vfat", "windows"), (None, "vfat", "windows"), (None, "", "windows"),
                                       (None, "", "linux"), (None, "", None))] == ["xfs", "vfat", "ntfs", "ext4", "ext4"]


@needs_mkfs
def test_an_operators_command_formats_disks_of_an_os_type(tmp_path):
    made = Files(tmp_path / "instances", tmp_path, Users(tmp_path, 0, 0, "none"), host_disks.Formatting.of(
        "", ["solaris=mkfs.vfat -n '%(fs_label)s' %(target)s", "default=mkfs.ext2 -q -F -L other %(target)s"]))
    for os_type, expected in (("Solaris", ("vfat", "ephemeral0")), ("linux", ("ext2", "other")), (None, ("ext2", "other"))):
        made.prepare(instance(("ephemeral", 16, None), ("ephemeral", 16, "ext4"), ("swap", 16, None), os_type=os_type), {})
        assert kinds(made) == [("vdb", *expected), ("vdc", "ext4", "ephemeral1"), ("vdd", "swap", "swap")]
        made.remove(UUID)


@pytest.mark.parametrize("template", [
    "mkfs.ext4 %(target)s", "linux=", "linux=mkfs %(device)s", "linux=mkfs 'x", "linux=mkfs %d"])
def test_a_command_that_is_none_is_refused_at_the_start(template):
    with pytest.raises(errors.BadRequest, match="virt_mkfs"):
        host_disks.Formatting.of("", [template])


def test_a_file_system_that_the_host_cannot_make_is_a_reason(files, monkeypatch):
    monkeypatch.setattr(host_disks, "_PATH", "/nowhere")
    with pytest.raises(errors.StepFailed, match="cannot make ext4"):
        files.prepare(instance(("ephemeral", 64, None)), {})
    assert host_disks.formats() == []


@needs_mkfs
def test_a_rescue_leaves_them_alone(files):
    server = {**instance(("ephemeral", 64, None)), "rescue_image": {}}
    files.prepare(server, {})
    files.begin_rescue(server, {})
    assert "local" not in files.plan(UUID)
    files.end_rescue(UUID)
    assert [d["target"] for d in files.plan(UUID)["local"]] == ["vdb"]


def test_the_metadata_names_them():
    server = instance(("ephemeral", 64, None), ("ephemeral", 64, None), ("swap", 16, None))
    assert guest._local_disks(server) == {"ephemeral0": "/dev/vdb", "ephemeral1": "/dev/vdc", "swap": "/dev/vdd"}
