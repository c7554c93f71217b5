"""What every volume driver keeps: fake, and files exported by a real tgtd of the test's own."""

import os
import shutil
import subprocess

import pytest

from common import conf as conf_module
from common import errors
from common.periodic import wait_for
from volume import conf, drivers

CONTROL, PORT = 77, 43260


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


def test_capacity_is_told(driver):
    assert driver.capacity()["free_capacity_gb"] > 0
