"""Files, keys and passwords that are written into new disks, by a helper without privileges."""

import base64
import os
import pathlib
import shutil
import struct
import subprocess
import tempfile

import pytest

from common import conf as conf_module
from common import errors
from compute_agent import conf
from compute_agent.service import ComputeAgent
from compute_agent.virt.base import Injection
from compute_agent.virt.libvirt import injection
from compute_agent.virt.libvirt.files import Files
from compute_agent.virt.libvirt.injection_helper import partitions
from compute_agent.virt.libvirt.users import Users

USER = (1820000001, 65534)
MIB = 1 << 20
UUID = "11111111-2222-4333-8444-00000000008f"
pytestmark = pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("debugfs", path="/usr/sbin:/sbin"), reason="needs root")


def file(path: str, text: str) -> dict:
    return {"path": path, "contents": base64.b64encode(text.encode()).decode()}


def run(*words: str) -> str:
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout


@pytest.fixture(scope="module")
def place():
    made = pathlib.Path(tempfile.mkdtemp(prefix="pileus-injection-", dir="/var/tmp"))
    made.chmod(0o711)
    yield made
    shutil.rmtree(made)


@pytest.fixture(scope="module")
def system(place):
    """A file system of 16 MiB."""
    root = place / "root"
    for name in ("etc", "var", "root", "run/lock"):
        (root / name).mkdir(parents=True)
    (root / "etc/shadow").write_text("root:*:19000:0:99999:7:::\nuser:!:19000:0:99999:7:::\n")
    os.chown(root / "etc/shadow", 0, 42)
    (root / "etc/shadow").chmod(0o640)
    (root / "etc/motd").write_text("of the image\n")
    (root / "etc/link").symlink_to("motd")
    (root / "var/lock").symlink_to("../run/lock")
    made = place / "system.ext4"
    run("mkfs.ext4", "-q", "-F", "-d", str(root), str(made), "16M")
    return made.read_bytes()


def mbr(*parts: tuple[int, int, int]) -> bytes:
    """:param parts: (kind, start, size) in sectors"""
    table = b"".join(struct.pack("<4xB3xII", *part) for part in parts)
    return b"\0" * 446 + table.ljust(64, b"\0") + b"\x55\xaa"


LAYOUTS = {"whole": 0, "second partition": 2048 * 512}


@pytest.fixture
def disk(place, system, request):
    """An overlay on an image, the guest's; ``request.param``: one of LAYOUTS"""
    home = place / "guest"
    home.mkdir(mode=0o711)
    base, start = place / "base.raw", LAYOUTS[getattr(request, "param", "second partition")]
    with open(base, "wb") as image:
        if start:
            image.write(mbr((0x83, 64, 1984), (0x83, start // 512, len(system) // 512)))
        image.seek(start)
        image.write(system)
        image.truncate(start + len(system) + MIB)
    base.chmod(0o644)
    made = home / "disk"
    run("qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", str(base), str(made), "1T")
    os.chown(made, *USER)
    yield made
    shutil.rmtree(home)


def written(disk: pathlib.Path, start: int = LAYOUTS["second partition"]) -> pathlib.Path:
    """The file system as the guest sees it, free of faults."""
    whole = disk.with_name("whole")
    run("qemu-img", "convert", "-O", "raw", str(disk), str(whole))
    found = disk.with_name("found")
    with open(whole, "rb") as data:
        data.seek(start)
        found.write_bytes(data.read(16 * MIB))
    run("e2fsck", "-fn", str(found))
    return found


def content(system: pathlib.Path, path: str) -> str:
    return run("debugfs", "-R", f"cat {path}", str(system))


def owner(system: pathlib.Path, path: str) -> tuple[str, str]:
    """(mode, group)"""
    told = run("debugfs", "-R", f"stat {path}", str(system))
    return told.partition("Mode:")[2].split()[0], told.partition("Group:")[2].split()[0]


@pytest.mark.parametrize("disk, partition", [("whole", 0), ("whole", -1), ("second partition", 2), ("second partition", -1)],
                         indirect=["disk"])
def test_files_a_key_and_a_password(disk, partition, request):
    injection.inject(disk, USER, Injection(partition, (file("/etc/motd", "hello\n"), file("srv/a b/deep/f", "new")),
                                                      "ssh-ed25519 AAAA me\n", "correct horse"))
    found = written(disk, LAYOUTS[request.node.callspec.params["disk"]])
    assert content(found, "/etc/motd") == "hello\n" and content(found, '"/srv/a b/deep/f"') == "new"
    assert content(found, "/root/.ssh/authorized_keys") == "ssh-ed25519 AAAA me\n"
    assert owner(found, "/root/.ssh/authorized_keys") == ("0600", "0") and owner(found, "/root/.ssh")[0] == "0700"
    shadow = content(found, "/etc/shadow").splitlines()
    hashed, salt = shadow[0].split(":")[1], shadow[0].split("$")[2]
    assert hashed == run("openssl", "passwd", "-6", "-salt", salt, "correct horse").strip()
    assert shadow[0].endswith(":19000:0:99999:7:::") and shadow[1] == "user:!:19000:0:99999:7:::"
    assert owner(found, "/etc/shadow") == ("0640", "42")
    assert os.stat(disk).st_blocks * 512 < 4 * MIB, "all but what was changed is the image's"
    assert not disk.with_name("injection").exists()


def test_links_of_the_image_stay_in_the_image(disk):
    injection.inject(disk, USER, Injection(-1, (file("/var/lock/x", "1"), file("/etc/link", "2"))))
    found = written(disk)
    assert content(found, "/run/lock/x") == "1" and content(found, "/etc/link") == "2"
    assert content(found, "/etc/motd") == "of the image\n"
    assert owner(found, "/etc/link") == ("0644", "0"), "a link's own mode is 0777"


def test_a_file_of_the_image_cannot_fill_the_host(disk, caplog):
    """Its size may be anything, as long as it has holes."""
    base = disk.with_name("larger")
    base.write_bytes(written(disk).read_bytes())
    run("debugfs", "-w", "-R", f"sif /etc/shadow size {1 << 26}", str(base))
    hostile = disk.with_name("hostile")
    run("qemu-img", "convert", "-f", "raw", "-O", "qcow2", str(base), str(hostile))
    os.chown(hostile, *USER)
    injection.inject(hostile, USER, Injection(0, (), None, "correct horse"))
    assert "/etc/shadow is too large" in caplog.text


@pytest.mark.parametrize("path", ['/etc/a"b', "/etc/a\nwrite /etc/passwd x", "/", "/etc/../../x", "/etc", "/etc/motd/x", "/a\\b"])
def test_a_path_that_cannot_be_is_a_reason(disk, path):
    with pytest.raises(errors.StepFailed, match="could not be injected"):
        injection.inject(disk, USER, Injection(-1, (file(path, "x"),)))
    assert content(written(disk), "/etc/motd") == "of the image\n"


@pytest.mark.parametrize("partition, says", [(7, "no partition 7"), (1, "no ext2, ext3 or ext4")])
def test_where_there_is_no_file_system_files_fail_and_the_rest_is_left_out(disk, partition, says, caplog):
    with pytest.raises(errors.StepFailed, match=says):
        injection.inject(disk, USER, Injection(partition, (file("/f", "x"),)))
    injection.inject(disk, USER, Injection(partition, (), "ssh-rsa A", "correct horse"))
    assert says in caplog.text and "horse" not in caplog.text


def test_the_helper_has_the_guests_rights_alone(disk, place):
    secret = place / "guest" / "disk2"
    shutil.copy(disk, secret)
    secret.chmod(0o600)  # root's
    with pytest.raises(errors.StepFailed, match="injected"):
        injection.inject(secret, USER, Injection(-1, (file("/f", "x"),)))


def server(**more) -> dict:
    return {"uuid": UUID, "flavor": {"disk": 0}, "image_meta": {"id": "i", "disk_format": "raw", "properties": {}},
            "rescue_image": {"id": "i", "disk_format": "raw", "properties": {}}, "config_drive": False, "key_data": "ssh-rsa A",
            "injected_files": [file("/etc/motd", "asked\n")], **more}


def test_a_disk_is_there_when_all_is_in_it_or_not_at_all(place, disk):
    base, wanted = place / "base.raw", Injection(-1, (file("/etc/motd", "asked\n"),))
    made = Files(place / "instances", place, Users(place / "instances", USER[0], 10, "nogroup"))
    with pytest.raises(errors.StepFailed):
        made.prepare(server(), {"image": str(base)}, Injection(7, wanted.files))
    assert not (made.directory(UUID) / "disk").exists()
    made.prepare(server(), {"image": str(base)}, wanted)
    assert content(written(made.directory(UUID) / "disk"), "/etc/motd") == "asked\n"
    made.prepare(server(), {"image": str(base)}, Injection(7, wanted.files))  # not again into one that may have been used
    made.begin_rescue(server(), {"image": str(base)}, wanted)
    assert content(written(made.directory(UUID) / "disk.rescue"), "/etc/motd") == "asked\n"


def test_what_an_agent_injects(tmp_path):
    def asked(row: dict, **options) -> Injection | None:
        agent = ComputeAgent.__new__(ComputeAgent)
        agent.conf = conf_module.load("compute-agent", conf.OPTS, str(tmp_path), {
            f"libvirt.{name}": value for name, value in options.items()})
        agent._secret = lambda uuid, kind: kind
        return agent.injection(row)
    assert asked(server()) is None and asked(server(config_drive=True), inject_partition=-1) is None
    assert asked(server(image_meta={}), inject_partition=-1) is None
    assert asked(server(injected_files=None), inject_partition=-1) is None
    assert asked(server(), inject_partition=2) == Injection(2, (file("/etc/motd", "asked\n"),))
    own_kernel = server(image_meta={"properties": {"kernel_id": "k"}}, injected_files=None)
    assert asked(own_kernel, inject_partition=-1, inject_key=True, inject_password=True) == Injection(
        0, (), "ssh-rsa A", "admin_password")


def test_tables_of_partitions():
    assert partitions(b"\0" * 512) == [] == partitions(b"")
    assert partitions(mbr((0x83, 1, 2), (0x05, 3, 9), (0, 0, 0), (0x82, 5, 1))) == [(512, 1024), (2560, 512)]
    entry = b"\1" * 16 + b"\0" * 16 + struct.pack("<QQ", 34, 99) + b"\0" * 80
    header = b"EFI PART".ljust(72, b"\0") + struct.pack("<QII", 2, 128, 128)
    gpt = mbr((0xEE, 1, 100)) + header.ljust(512, b"\0") + b"\0" * 128 + entry + b"\0" * 512
    assert partitions(gpt) == [(34 * 512, 66 * 512)]
    assert partitions(mbr((0xEE, 1, 100)) + b"EFI PART".ljust(72, b"\0") + struct.pack("<QII", 2, 1 << 31, 0)) == []
