"""What programs that unpack hostile images for containers can reach on the host."""

import os
import pathlib
import shutil
import signal
import subprocess
import tempfile

import pytest

from common import errors
from common.periodic import wait_for
from compute_agent.virt.lxc import disks as disks_module
from compute_agent.virt.lxc.disks import Disks
from compute_agent.virt.lxc.namespaces import MOST_WORDS, run_confined, user_namespace

UUID = "11111111-2222-4333-8444-555555555555"
FIRST = 1_930_000_000
INSTANCE = {"uuid": UUID, "flavor": {"disk": 1}, "image_meta": {"disk_format": "raw"}}
pytestmark = pytest.mark.skipif(os.geteuid() != 0 or not os.path.exists("/dev/loop-control"), reason="needs root, loop devices")


@pytest.fixture
def place():
    """A directory that the users of containers may enter, unlike pytest's own."""
    found = pathlib.Path(tempfile.mkdtemp(prefix="pileus-confined-"))
    found.chmod(0o755)
    yield found
    shutil.rmtree(found)


@pytest.fixture
def disks(place):
    (place / "instances").mkdir()
    made = Disks(place / "instances", str(place), FIRST, 3)
    yield made
    made.unmount(UUID)


def image_of(place: pathlib.Path, name: str) -> pathlib.Path:
    """An ext4 file system with an init, and a file with a name that no kernel would accept."""
    files, image, harmless = place / "files", place / "image", "A" * len(name)
    (files / "sbin").mkdir(parents=True)
    (files / "sbin/init").write_text("#!/bin/sh\n")
    (files / harmless).write_text("of a tenant")
    subprocess.run(["mke2fs", "-q", "-F", "-t", "ext4", "-O", "^metadata_csum,^has_journal,^dir_index", "-d", files, image, "8M"],
                   check=True)
    data = image.read_bytes()
    assert data.count(harmless.encode()) == 1
    image.write_bytes(data.replace(harmless.encode(), name.encode()))
    return image


def test_names_in_an_image_lead_nowhere_else(place, disks):
    public = place / "public"
    public.mkdir()
    public.chmod(0o1777)
    image = image_of(place, "../" * 12 + str(public / "left")[1:])
    with pytest.raises(errors.StepFailed, match="could not be unpacked"):
        disks.prepare(INSTANCE, str(image))
    assert list(public.iterdir()) == []


def test_archives_are_unpacked_with_their_users_and_rights(place, disks):
    (place / "files/sbin").mkdir(parents=True)
    init = place / "files/sbin/init"
    init.write_text("#!/bin/sh\n")
    os.chown(init, 7, 8)
    init.chmod(0o4755)
    subprocess.run(["tar", "--create", "--gzip", "--file", place / "image", "--directory", place / "files", "."], check=True)
    disks.prepare(INSTANCE, str(place / "image"))
    disks.mount(UUID)
    found = os.stat(disks.root(UUID) / "sbin/init")
    assert (found.st_uid, found.st_gid, found.st_mode & 0o7777) == (FIRST + 7, FIRST + 8, 0o4755)


@pytest.fixture
def confined(place, disks):
    disks.prepare(INSTANCE, str(image_of(place, "harmless")))
    disks.mount(UUID)
    root = disks.root(UUID)
    with user_namespace(FIRST) as namespace:
        yield lambda *words: run_confined(namespace, root, *words)


def test_a_confined_program_writes_to_its_disk_alone(confined, disks):
    root = disks.root(UUID)
    assert confined("touch", str(root / "new")) == (True, "") and (root / "new").exists()
    for there in ("/dev/shm/left-by-a-confined-program", "/tmp/left-by-a-confined-program"):
        good, said = confined("touch", there)
        assert not good and "Read-only" in said and not os.path.exists(there)
    assert not confined("chmod", "700", str(root.parent))[0]
    assert not confined("mount", "-o", "remount,bind,rw", "/")[0]
    assert not confined("test", "-e", "/proc/1")[0] and not confined("umount", "/proc")[0]


def test_it_ends_with_an_agent_that_is_killed(confined, disks):
    root, started = disks.root(UUID), disks.root(UUID) / "started"
    agent = os.fork()
    if not agent:
        confined("sh", "-c", f"touch {started}; sleep 97")
        os._exit(1)
    wait_for(started.exists, 10, what="the program")
    os.kill(agent, signal.SIGKILL)
    os.waitpid(agent, 0)
    wait_for(lambda: not subprocess.run(["pgrep", "-f", f"touch {root}"], capture_output=True).stdout, 10, what="its end")


def test_what_it_says_is_limited(confined):
    good, said = confined("sh", "-c", "yes >&2")
    assert not good and len(said) == MOST_WORDS


def test_a_disk_with_setuid_programs_is_nobodys_while_its_root_is_that_of_the_host(place, disks, monkeypatch):
    seen = []

    def mapped(source, target, namespace):
        seen.append((source.parent.stat().st_mode & 0o777, source.parent.stat().st_uid,
                     bool(os.statvfs(source).f_flag & os.ST_NOSUID)))
        real(source, target, namespace)
    real = disks_module.mount_mapped
    monkeypatch.setattr(disks_module, "mount_mapped", mapped)
    disks.prepare(INSTANCE, str(image_of(place, "harmless")))
    disks.mount(UUID)
    assert seen == [(0o700, 0, True)] * 2
    assert not os.statvfs(disks.root(UUID)).f_flag & os.ST_NOSUID and os.statvfs(disks.root(UUID)).f_flag & os.ST_NODEV
