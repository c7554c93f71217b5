"""What every volume driver keeps: fake, and files exported by a real tgtd of the test's own."""

import os
import re
import shutil
import subprocess
import threading

import pytest

from common import conf as conf_module
from common import errors, images
from common.periodic import wait_for
from volume import conf, drivers

# Each worker of pytest-xdist starts a tgtd of its own.
_WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])
CONTROL, PORT = 77 + _WORKER, 43260 + _WORKER


@pytest.fixture(scope="module")
def tgtd(tmp_path_factory):
    if os.geteuid() or not shutil.which("tgtd"):
        pytest.skip("needs root and tgtd")
    process = subprocess.Popen(["tgtd", "-f", "-C", str(CONTROL), "--iscsi", f"portal=127.0.0.1:{PORT}"],
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    show = ["tgtadm", "-C", str(CONTROL), "--lld", "iscsi", "--mode", "target", "--op", "show"]
    wait_for(lambda: subprocess.run(show, capture_output=True).returncode == 0, 10, what="tgtd")
    yield
    process.kill()
    process.wait()


@pytest.fixture(params=["fake", "file"])
def driver(request, tmp_path):
    if request.param == "file":
        request.getfixturevalue("tgtd")
    loaded = conf_module.load("volume", conf.OPTS, str(tmp_path), {
        "volume.driver": request.param, "volume.tgt_control_port": CONTROL, "volume.iscsi_port": PORT})
    made = drivers.load(loaded)
    yield made
    for volume_id in made.volumes():
        made.delete(volume_id)


def test_life_of_a_volume_every_call_twice(driver):
    for _ in range(2):
        driver.create("v1", 1)
    assert driver.volumes() == ["v1"]
    for _ in range(2):
        driver.extend("v1", 2)
    assert driver.sizes() == {"v1": 2}
    first = driver.connect("v1", "a1", {"initiator": "iqn.test"}, {})
    assert driver.connect("v1", "a1", {"initiator": "iqn.test"}, first) == first
    assert driver.exports() == ["v1"]
    driver.disconnect("v1", "another")
    assert driver.exports() == ["v1"], "somebody else's disconnect must not end the export"
    for _ in range(2):
        driver.disconnect("v1", "a1")
    assert driver.exports() == []
    for _ in range(2):
        driver.delete("v1")
    assert driver.volumes() == []


def test_what_is_not_there_is_not_made_by_growing_it(driver):
    """A message that comes after the volume was deleted."""
    with pytest.raises(errors.StepFailed):
        driver.extend("v1", 2)
    assert driver.volumes() == []


def exported_mb(driver) -> int:
    """The size that initiators are told, of the only volume that is exported."""
    told = driver.tgt._run("--mode", "target", "--op", "show")
    return int(re.findall(r"Size: (\d+) MB", told.split("LUN: 1")[1])[0])


def test_an_unused_export_gets_the_new_size(driver):
    if not driver.keeps_bytes:
        pytest.skip("its exports have no size")
    driver.create("v1", 1)
    known = driver.connect("v1", "a1", {"initiator": "iqn.test"}, {})
    driver.extend("v1", 2)
    assert exported_mb(driver) == 1074
    driver.connect("v1", "a1", {"initiator": "iqn.test"}, known)
    assert exported_mb(driver) == 2147
    driver.disconnect("v1", "a1")


def test_an_export_in_use_gets_the_new_size_only_while_its_initiator_holds_still(driver):
    """To open its file anew tgtd closes it; whatever is read or written in that moment fails."""
    if not driver.keeps_bytes or not shutil.which("qemu-io"):
        pytest.skip("needs exports with bytes, and QEMU's initiator")
    driver.create("v1", 1)
    known = driver.connect("v1", "a1", {"initiator": "iqn.test"}, {})
    data = known["data"]
    secret = f"secret,id=s,data={data['auth_password']}"
    source = (f"driver=iscsi,transport=tcp,portal={data['target_portal']},target={data['target_iqn']},lun=1,initiator-name="
              f"iqn.test,user={data['auth_username']},password-secret=s")
    user = subprocess.Popen(["qemu-io", "--object", secret, "--image-opts", source], stdin=subprocess.PIPE,
                            stdout=subprocess.PIPE, text=True)
    wait_for(lambda: driver.tgt.targets()["v1"]["sessions"], 10, what="the initiator's login")
    try:
        driver.extend("v1", 2)
        driver.connect("v1", "a1", {"initiator": "iqn.test"}, known)
        assert exported_mb(driver) == 1074
        for _ in range(2):
            driver.connect("v1", "a1", {"initiator": "iqn.test", drivers.IO_PAUSED: True}, known)
        assert exported_mb(driver) == 2147
        answer, _ = user.communicate("truncate 2147483648\nwrite -P 7 1610612736 512\nread -P 7 1610612736 512\nquit\n", 10)
        assert "wrote 512/512 bytes at offset 1610612736" in answer and "read 512/512" in answer, answer
    finally:
        user.kill()
        user.wait()
        driver.disconnect("v1", "a1")


def test_what_a_volume_or_a_snapshot_has_can_be_read(driver):
    driver.create("v1", 1)
    driver.snapshot("s1", "v1")
    if driver.keeps_bytes:
        with open(driver.data("v1"), "r+b") as disk:
            disk.write(b"new")
        found = [driver.data("v1"), driver.data("v1", snapshot_id="s1")]
        assert [images.size_of(path) for path in found] == [1 << 30, 1 << 30]
        assert [path.open("rb").read(3) for path in found] == [b"new", b"\0\0\0"]
    else:
        assert not any(driver.data("v1").read_bytes()) and driver.volumes() == ["v1"] and driver.snapshots() == ["s1"]
    driver.delete_snapshot("s1")
    for missing in ({"volume_id": "v2"}, {"volume_id": "v1", "snapshot_id": "s1"}):
        with pytest.raises(errors.StepFailed):
            driver.data(**missing)


def test_a_volume_gets_another_image(driver, tmp_path):
    """Nothing is left of what it had before, also beyond the image's end."""
    for name, size in (("first", 2 << 20), ("second", 1 << 20)):
        (tmp_path / name).write_bytes(name.encode() * (size // len(name)))
    driver.create("v5", 1)
    driver.fill("v5", str(tmp_path / "first"), "raw")
    for _ in range(2):
        driver.refill("v5", str(tmp_path / "second"), "raw")
    assert driver.sizes() == {"v5": 1}
    if driver.keeps_bytes:
        with open(driver.path("v5"), "rb") as volume:
            found = volume.read(4 << 20).rstrip(b"\0")
        assert found == (tmp_path / "second").read_bytes()
        assert driver.path("v5").stat().st_size == 1 << 30


def content(driver, volume_id: str) -> bytes:
    with open(driver.path(volume_id), "rb") as handle:
        return handle.read(16)


def test_snapshots_and_copies_every_call_twice(driver):
    driver.create("v1", 1)
    if driver.keeps_bytes:
        with open(driver.path("v1"), "r+b") as handle:
            handle.write(b"first" + b"\0" * 11)
    for _ in range(2):
        driver.snapshot("s1", "v1")
    assert (driver.snapshots(), driver.volumes()) == (["s1"], ["v1"])
    if driver.keeps_bytes:
        with open(driver.path("v1"), "r+b") as handle:
            handle.write(b"later")
    for _ in range(2):
        driver.clone("v2", 2, snapshot_id="s1")
        driver.clone("v3", 1, source_id="v1")
    for _ in range(2):
        driver.delete_snapshot("s1")
    driver.delete("v1")
    assert (driver.snapshots(), driver.volumes()) == ([], ["v2", "v3"])
    if driver.keeps_bytes:
        assert (content(driver, "v2")[:5], content(driver, "v3")[:5]) == (b"first", b"later")
        assert driver.path("v2").stat().st_size == 2 << 30 and driver.path("v2").stat().st_blocks < 1000


def test_what_is_not_there_yet_cannot_be_copied(driver):
    """A snapshot may be called available before it is."""
    for source in ({"snapshot_id": "s1"}, {"source_id": "v1"}):
        with pytest.raises(errors.StepFailed, match="missing"):
            driver.clone("v2", 1, **source)
    assert driver.volumes() == []


def test_a_volume_that_never_holds_still_is_not_copied(driver, monkeypatch):
    """Half of a write in a snapshot is worse than no snapshot."""
    if not driver.keeps_bytes:
        pytest.skip("it has no bytes")
    driver.create("v1", 1)
    without_reflink(monkeypatch)
    stop = threading.Event()

    def write():
        with open(driver.path("v1"), "r+b", buffering=0) as handle:
            while not stop.wait(0.001):
                handle.seek(0)
                handle.write(os.urandom(8))
    writer = threading.Thread(target=write)
    writer.start()
    try:
        with pytest.raises(errors.StepFailed):
            driver.snapshot("s1", "v1")
    finally:
        stop.set()
        writer.join()
    assert driver.snapshots() == [] and [p.name for p in driver.directory.iterdir()] == ["volume-v1"]


def test_a_volume_written_to_during_the_first_copy_is_copied_again(driver, monkeypatch):
    if not driver.keeps_bytes:
        pytest.skip("it has no bytes")
    driver.create("v1", 1)
    left = [b"first", b"later"]

    def write_once():
        if left:
            with open(driver.path("v1"), "r+b") as handle:
                handle.write(left.pop(0))
    without_reflink(monkeypatch, write_once)
    driver.snapshot("s1", "v1")
    driver.clone("v2", 1, snapshot_id="s1")
    assert content(driver, "v2")[:5] == b"later"


def without_reflink(monkeypatch, after_copy=lambda: None) -> None:
    """As on a file system that does not share blocks."""
    real_run = subprocess.run

    def run(words, **more):
        if "--reflink=always" in words:
            return subprocess.CompletedProcess(words, 1, "", "not here")
        done = real_run(words, **more)
        after_copy()
        return done
    monkeypatch.setattr(subprocess, "run", run)


def test_missing_volume_cannot_be_connected(driver):
    with pytest.raises(errors.StepFailed):
        driver.connect("nothing", "a1", {}, {})


def test_each_attachment_has_a_secret_of_its_own(driver):
    driver.create("v1", 1)
    first = driver.connect("v1", "a1", {"initiator": "iqn.test"}, {})
    driver.disconnect("v1", "a1")
    second = driver.connect("v1", "a2", {"initiator": "iqn.test"}, {})
    if first["driver_volume_type"] == "iscsi":
        assert first["data"]["auth_password"] != second["data"]["auth_password"]
    driver.disconnect("v1", "a2")


def test_capacity_is_reported(driver):
    assert driver.capacity()["free_capacity_gb"] > 0


def test_two_hosts_reach_a_volume_until_one_of_them_is_disconnected(driver):
    """As while a server moves from one to the other."""
    driver.create("v1", 1)
    for _ in range(2):
        known = {name: driver.connect("v1", name, {"initiator": f"iqn.test:{name}"}, {}) for name in ("a1", "a2")}
    assert driver.exports() == ["v1"]
    for _ in range(2):
        driver.disconnect("v1", "a1", "iqn.test:a1")
    assert driver.exports() == ["v1"]
    if driver.keeps_bytes:
        target = driver.tgt.targets()["v1"]
        assert (target["accounts"], target["initiators"]) == (["a2"], ["iqn.test:a2"])
    driver.disconnect("v1", "a2", "iqn.test:a2")
    assert driver.exports() == []
    assert known["a1"]["data"]["auth_password"] != known["a2"]["data"]["auth_password"]


def test_disconnecting_ends_only_the_session_of_that_attachment(driver):
    if not driver.keeps_bytes or not shutil.which("qemu-io"):
        pytest.skip("needs exports with bytes, and QEMU's initiator")
    driver.create("v1", 1)
    users = {}
    for name in ("a1", "a2"):
        data = driver.connect("v1", name, {"initiator": f"iqn.test:{name}"}, {})["data"]
        words = ["qemu-io", "--object", f"secret,id=s,data={data['auth_password']}", "--image-opts",
                 f"driver=iscsi,transport=tcp,portal={data['target_portal']},target={data['target_iqn']},lun=1,"
                 f"initiator-name=iqn.test:{name},user={data['auth_username']},password-secret=s"]
        users[name] = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        wait_for(lambda: len(driver.tgt.targets()["v1"]["sessions"]) == 2, 10, what="both logins")
        driver.disconnect("v1", "a1", "iqn.test:a1")
        wait_for(lambda: [s[0] for s in driver.tgt.targets()["v1"]["sessions"].values()] == ["iqn.test:a2"], 10,
                 what="the session of the one that was disconnected to end, for good")
        answer, _ = users["a2"].communicate("write -P 7 0 512\nread -P 7 0 512\nquit\n", 10)
        assert "wrote 512/512" in answer and "read 512/512" in answer, answer
    finally:
        for user in users.values():
            user.kill()
            user.wait()
        driver.disconnect("v1", "a2", "iqn.test:a2")


def test_a_volume_that_is_attached_to_nothing_is_exported_no_more(driver):
    """As the audit ends what was left over."""
    driver.create("v1", 1)
    for name in ("a1", "a2"):
        driver.connect("v1", name, {"initiator": f"iqn.test:{name}"}, {})
    for _ in range(2):
        driver.unexport("v1")
    assert driver.exports() == []
