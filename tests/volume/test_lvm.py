"""How volumes grow on LVM, by the commands that are given: the tests' hosts have no device-mapper."""

import json

import pytest

from common import conf as conf_module
from common import errors
from volume import conf, drivers

VOLUME, GIB = "11111111-1111-4111-8111-111111111111", 1 << 30


class Killed(BaseException):
    """In place of kill -9."""


class Group:
    """A volume group of one volume. What is not zero in it is what somebody else may have left."""

    def __init__(self, *, snapshots: bool = False):
        self.size, self.zeros_from, self.tags, self.active, self.snapshots = GIB, 0, [], True, snapshots
        self.in_use, self.killed_at = False, ""

    def run(self, *words: str, timeout_s: float | None = 600) -> str:
        name = words[0]
        answer = getattr(self, f"_{name}")(words)
        if name == self.killed_at:
            self.killed_at = ""
            raise Killed
        return answer or ""

    def _lvs(self, words):
        return json.dumps({"report": [{"lv": [{
            "lv_size": str(self.size), "lv_attr": "owi-a-s---" if self.snapshots else "-wi-a-----",
            "lv_tags": ",".join(self.tags)}]}]})

    def _lvchange(self, words):
        option, value = words[-3:-1]
        if option == "--addtag":
            self.tags.append(value)
        elif option == "--deltag":
            self.tags.remove(value)
        elif value == "n" and self.in_use:
            raise errors.StepFailed(reason="in use")
        else:
            self.active = value == "y"

    def _lvextend(self, words):
        if self.snapshots and self.active:
            raise errors.StepFailed(reason="Snapshot origin volumes can be resized only while inactive")
        self.zeros_from, self.size = self.size, int(words[2].removesuffix("g")) * GIB

    def _blkdiscard(self, words):
        assert self.active
        first = int(words[words.index("--offset") + 1])
        assert first >= GIB, "what the volume holds is never wiped"
        if first <= self.zeros_from:
            self.zeros_from = 0

    @property
    def clean(self) -> bool:
        return self.zeros_from == 0


@pytest.fixture
def driver(tmp_path):
    return drivers.load(conf_module.load("volume", conf.OPTS, str(tmp_path), {"volume.driver": "lvm"}))


@pytest.mark.parametrize("snapshots", [False, True])
@pytest.mark.parametrize("killed_at", ["", "lvchange", "lvextend", "blkdiscard"])
def test_what_a_volume_grows_by_holds_nothing_of_others(driver, monkeypatch, killed_at, snapshots):
    group = Group(snapshots=snapshots)
    group.killed_at = killed_at
    monkeypatch.setattr(driver, "_lvm", group.run)
    try:
        driver.extend(VOLUME, 3)
    except Killed:
        driver.extend(VOLUME, 3)  # as a task that resumes
    assert (group.size, group.clean, group.tags, group.active) == (3 * GIB, True, [], True)
    driver.extend(VOLUME, 3)
    driver.extend(VOLUME, 4)
    assert (group.size, group.clean, group.tags, group.active) == (4 * GIB, True, [], True)


def test_a_volume_with_snapshots_that_is_in_use_stays_as_it_is(driver, monkeypatch):
    group = Group(snapshots=True)
    group.in_use = True
    monkeypatch.setattr(driver, "_lvm", group.run)
    with pytest.raises(errors.StepFailed):
        driver.extend(VOLUME, 2)
    assert (group.size, group.active) == (GIB, True)


def test_a_wipe_has_no_time_limit(driver, monkeypatch):
    """One of more than ten minutes failed, and with it each large volume."""
    limits = {}
    monkeypatch.setattr(driver, "_lvm", lambda *words, timeout_s=600: limits.setdefault(words[0], timeout_s) or "")
    driver._wipe(VOLUME)
    assert limits == {"blkdiscard": None}
