"""A user of its own for each guest: numbers that are never shared, files that only one may open."""

import os
import subprocess
import threading

import pytest

from common.guest_hardware import Hardware
from compute_agent.virt.libvirt import xml
from compute_agent.virt.libvirt.users import Users

FIRST = 1900000000
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: it chooses users")


def uuid(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012d}"


@pytest.fixture
def users(tmp_path):
    tmp_path.chmod(0o711)
    for number in range(6):
        (tmp_path / uuid(number)).mkdir()
    return Users(tmp_path, FIRST, 5, "root")


def test_many_at_once_never_share_one(users):
    found: list = []
    threads = [threading.Thread(target=lambda n=n: found.append(users.of(uuid(n)))) for n in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({uid for uid, _ in found}) == 5 and all(FIRST <= uid < FIRST + 5 for uid, _ in found)


def test_a_guest_keeps_its_user_through_a_restart_and_gives_it_back_with_its_files(users, tmp_path):
    known = [users.of(uuid(n)) for n in range(5)]
    again = Users(tmp_path, FIRST, 5, "root")
    assert [again.of(uuid(n)) for n in range(5)] == known
    (tmp_path / uuid(2) / "user").unlink()
    assert again.of(uuid(5)) == known[2], "the only one that is free"


def test_a_number_that_was_given_back_is_not_the_next(users, tmp_path):
    first, second = users.of(uuid(0)), users.of(uuid(1))
    (tmp_path / uuid(1) / "user").unlink()
    assert users.of(uuid(2)) not in (first, second) and first != second


@pytest.mark.parametrize("text", ["0", "x", "", str(FIRST + 99), "²"])
def test_a_note_that_names_another_user_counts_for_nothing(users, tmp_path, text):
    (tmp_path / uuid(0) / "user").write_text(text)
    assert users.of(uuid(0)) == (FIRST, 0)


def test_only_its_user_opens_a_file(users, tmp_path):
    disks = []
    for number in range(2):
        disk = tmp_path / uuid(number) / "disk"
        disk.write_bytes(b"x")
        users.give(disk, users.of(uuid(number)), 0o600)
        disk.parent.chmod(0o711)
        disks.append(disk)
    for number in range(2):
        uid, gid = users.of(uuid(number))
        for other, disk in enumerate(disks):
            words = ["setpriv", f"--reuid={uid}", f"--regid={gid}", "--clear-groups", "--bounding-set=-all", "cat", str(disk)]
            reachable = all(p.stat().st_mode & 0o001 for p in disk.parents)
            done = subprocess.run(words, capture_output=True).returncode == 0
            assert done == (number == other and reachable)
    link = tmp_path / uuid(0) / "link"
    link.symlink_to(disks[1])
    with pytest.raises(OSError):
        users.give(link, users.of(uuid(0)), 0o600)


def test_none_is_chosen_where_that_is_off(tmp_path):
    assert Users(tmp_path, FIRST, 0, "root").of(uuid(0)) is None
    assert Users(tmp_path, FIRST, 5, "no-such-group").of(uuid(0)) is None


def test_libvirt_is_told_the_user_and_to_relabel_nothing():
    instance = {"uuid": uuid(0), "project_id": "p", "memory_mb": 1, "vcpus": 1}
    host = xml.Host("qemu", "iqn", ("c", "h"), user=(FIRST, 108))
    made = xml.domain(instance, Hardware(1, 1), host, directory="/d", ports=[], volumes=[], config_drive=None, root=None,
                      second=None, local=[], kernel={})
    assert f'<seclabel type="static" model="dac" relabel="no"><label>+{FIRST}:+108</label></seclabel>' in made
