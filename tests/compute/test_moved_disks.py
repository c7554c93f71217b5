"""Disks of libvirt's guests, exported by one host and made anew by another, with the real qemu-img."""

import json
import shutil
import subprocess

import pytest

from common import errors
from compute_agent.virt import directories, kept_disks
from compute_agent.virt.libvirt import files as files_module
from compute_agent.virt.libvirt.files import GIB, Files
from compute_agent.virt.libvirt.users import Users

pytestmark = pytest.mark.skipif(not shutil.which("qemu-img"), reason="needs qemu-img")
UUID = "11111111-2222-3333-4444-555555555555"


def instance(disk_gb: int = 1) -> dict:
    return {"uuid": UUID, "flavor": {"disk": disk_gb}, "image_meta": {"disk_format": "qcow2", "properties": {}}}


def qemu_io(path, *commands: str) -> str:
    words = [w for c in commands for w in ("-c", c)]
    return subprocess.run(["qemu-io", "-f", "qcow2", *words, str(path)], capture_output=True, text=True, check=True).stdout


def info(path) -> dict:
    return json.loads(subprocess.run(["qemu-img", "info", "--output=json", str(path)], capture_output=True, check=True).stdout)


@pytest.fixture
def hosts(tmp_path):
    """Two of them, each with the same image in its cache, at another place."""
    made = []
    for name in ("one", "two"):
        cache = tmp_path / name / "image-cache"
        cache.mkdir(parents=True)
        made.append((Files(tmp_path / name / "instances", tmp_path / name, Users(tmp_path / name, 0, 0, "none")),
                     cache / "sha512-ab.qcow2"))
    base = made[0][1]
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", str(base), "64M"], check=True)
    qemu_io(base, "write -P 1 0 64k")
    shutil.copy(base, made[1][1])
    return made


def move(hosts, disk_gb: int = 1) -> tuple[dict, dict]:
    (one, base), (two, copy) = hosts
    disks = one.exported(UUID)
    shutil.copy(disks["disk"], two.begin_import(UUID))
    base.rename(base.with_suffix(".away"))  # what the other host makes of it must not need it
    two.imported(instance(disk_gb), {**disks, "disk": "disk", "base": base.name}, {"base": str(copy)})
    return disks, two.plan(UUID)


def test_the_disk_is_based_on_the_other_hosts_copy_of_the_image(hosts):
    (one, base), (two, copy) = hosts
    one.prepare(instance(), {"image": str(base)})
    qemu_io(one.plan(UUID)["root"]["path"], "write -P 2 64k 64k")
    disks, plan = move(hosts)
    assert (disks["base"], disks["cdrom"], disks["kernel"]) == (str(base), False, None)
    path = plan["root"]["path"]
    assert info(path)["full-backing-filename"] == str(copy) and two.base_images() == {str(copy)}
    assert "pattern" not in qemu_io(path, "read -P 1 0 64k", "read -P 2 64k 64k").lower()


def test_a_larger_flavor_lets_it_grow(hosts):
    (one, base), _ = hosts
    one.prepare(instance(), {"image": str(base)})
    _, plan = move(hosts, disk_gb=3)
    assert info(plan["root"]["path"])["virtual-size"] == 3 * GIB


def test_on_the_same_host_the_disk_grows_and_the_former_one_is_restored(hosts):
    (one, base), _ = hosts
    one.prepare(instance(), {"image": str(base)})
    path = one.plan(UUID)["root"]["path"]
    qemu_io(path, "write -P 2 64k 64k")
    kept_disks.keep(one.directory(UUID), 7)
    for _ in range(2):
        one.resize(instance(3))
    qemu_io(path, "write -P 3 64k 64k")
    assert info(path)["virtual-size"] == 3 * GIB
    kept_disks.restore(one.directory(UUID), 7)
    assert info(path)["virtual-size"] == GIB and "pattern" not in qemu_io(path, "read -P 1 0 64k", "read -P 2 64k 64k").lower()
    assert one.base_images() == {str(base)}


def test_it_may_be_done_again_after_it_was_interrupted_anywhere(hosts):
    (one, base), (two, copy) = hosts
    one.prepare(instance(), {"image": str(base)})
    disks = one.exported(UUID)
    for _ in range(2):
        shutil.copy(disks["disk"], two.begin_import(UUID))
        two.imported(instance(), {**disks, "disk": "disk"}, {"base": str(copy)})
        two.imported(instance(), {**disks, "disk": "disk"}, {"base": str(copy)})
    assert info(two.plan(UUID)["root"]["path"])["full-backing-filename"] == str(copy)
    two.remove(UUID)
    assert directories.known(two.path) == []


def test_a_server_without_a_disk_of_its_own(hosts):
    (one, _), (two, _) = hosts
    one.prepare(instance(), {})
    disks = one.exported(UUID)
    assert disks["disk"] is None and disks["base"] is None
    two.begin_import(UUID)
    two.imported(instance(), disks, {})
    assert two.plan(UUID) == {"root": None, "kernel": {}, "local": []}


def test_how_it_boots_moves_with_it(hosts):
    (one, base), (two, copy) = hosts
    one.prepare(instance(), {"image": str(base), "kernel": "/one/sha512-k.aki", "ramdisk": "/one/sha512-r.ari"})
    disks = one.exported(UUID)
    shutil.copy(disks["disk"], two.begin_import(UUID))
    two.imported(instance(), {**disks, "disk": "disk"}, {"base": str(copy), "kernel": "/two/k", "ramdisk": "/two/r"})
    kernel = two.plan(UUID)["kernel"]
    assert kernel == {"kernel": "/two/k", "ramdisk": "/two/r", "cmdline": one.plan(UUID)["kernel"]["cmdline"]}


def test_what_the_firmware_remembers_moves_with_it(hosts, tmp_path):
    (one, base), (two, copy) = hosts
    (tmp_path / "template").write_bytes(b"empty")
    one.prepare(instance(), {"image": str(base)})
    with open(one.variables(UUID, str(tmp_path / "template")), "ab") as variables:
        variables.write(b", then written")
    disks = one.exported(UUID)
    (path,) = disks["local"]
    shutil.copy(disks["disk"], two.begin_import(UUID))
    target, max_bytes = two.local_paths(instance())[path.rpartition("/")[2]]
    shutil.copy(path, target)
    for _ in range(2):
        two.imported(instance(), {**disks, "disk": "disk"}, {"base": str(copy)})
    with open(two.variables(UUID, str(tmp_path / "template")), "rb") as variables:
        assert variables.read(max_bytes) == b"empty, then written"


def test_a_guest_that_has_no_files_is_a_reason(hosts):
    with pytest.raises(errors.StepFailed):
        hosts[0][0].exported(UUID)


def test_a_disk_of_another_image_does_not_become_the_servers(hosts):
    (one, base), _ = hosts
    other = base.with_name("sha512-cd.qcow2")
    shutil.copy(base, other)
    for image in (base, other):
        one.prepare(instance(), {"image": str(image)})
    path = one.plan(UUID)["root"]["path"]
    assert info(path)["full-backing-filename"] == str(other) and one.base_images() == {str(other)}
    qemu_io(path, "write -P 3 0 64k")
    one.prepare(instance(), {"image": str(other)})
    assert "pattern" not in qemu_io(path, "read -P 3 0 64k").lower(), "a repeated step has kept what the guest wrote"


def test_files_that_stay_are_no_success(tmp_path):
    """A file in the place of the directory stands for what root cannot remove either, as a mount."""
    files = Files(tmp_path / "instances", tmp_path, Users(tmp_path, 0, 0, "none"))
    files.remove(UUID)
    files.directory(UUID).write_text("")
    with pytest.raises(errors.StepFailed):
        files.remove(UUID)


def test_qemu_img_needs_little_memory_for_its_threads(tmp_path, monkeypatch):
    """With a heap for each, ``convert`` failed now and then: qemu_thread_create: Resource temporarily unavailable."""
    program = tmp_path / "qemu-img"
    program.write_text('#!/bin/sh\necho "$MALLOC_ARENA_MAX $(ulimit -v)" > "$1"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    files_module.qemu_img(str(tmp_path / "said"))
    assert (tmp_path / "said").read_text() == f"1 {1 << 20}\n"
