"""The disks of a guest that is resized on its own host, whatever interrupts their way."""

import pathlib

import pytest

from common import errors
from compute_agent.virt import kept_disks

OLD = {"disk": "old root", "disks.json": "old plan", "disk.eph0": "old ephemeral"}
NEW = {"disk": "new root", "disks.json": "new plan", "disk.swap": "new swap"}


class Killed(BaseException):
    pass


@pytest.fixture
def home(tmp_path):
    """A guest whose resize has made other files of its disks: one of them is new, one is gone, two are changed."""
    made = tmp_path / "guest"
    made.mkdir()
    write(made, OLD)
    (made / "console.log").write_text("a log")
    kept_disks.keep(made, 7)
    for name in OLD:
        (made / name).unlink()
    write(made, NEW)
    return made


def write(home: pathlib.Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (home / name).write_text(text)


def used(home: pathlib.Path) -> dict[str, str]:
    return {p.name: p.read_text() for p in home.iterdir() if p.is_file() and p.name != "console.log"}


def test_they_are_restored_and_the_log_goes_on(home):
    kept_disks.restore(home, 7)
    assert used(home) == OLD and (home / "console.log").read_text() == "a log"
    kept_disks.drop(home)
    assert used(home) == OLD and not [p for p in home.iterdir() if p.is_dir()]


def test_what_is_confirmed_stays(home):
    kept_disks.drop(home)
    assert used(home) == NEW
    kept_disks.restore(home, 7)
    assert used(home) == NEW, "there is nothing to restore"


@pytest.mark.parametrize("work,before,after", [(kept_disks.restore, NEW, OLD), (kept_disks.return_to, OLD, NEW)])
@pytest.mark.parametrize("renames", range(9))
def test_interrupted_anywhere_it_is_done_again_or_undone(home, monkeypatch, work, before, after, renames):
    """Whichever is called next, the guest has all files of one flavor and none of the other."""
    if work is kept_disks.return_to:
        kept_disks.restore(home, 7)
    left, rename = [renames], pathlib.Path.rename

    def interrupted(self, target):
        if not left[0]:
            raise Killed()
        left[0] -= 1
        return rename(self, target)
    monkeypatch.setattr(pathlib.Path, "rename", interrupted)
    if renames < 6:
        with pytest.raises(Killed):
            work(home, 7)
    else:
        work(home, 7)
    monkeypatch.undo()
    other = kept_disks.return_to if work is kept_disks.restore else kept_disks.restore
    other(home, 7)
    assert used(home) == before
    for _ in range(2):
        work(home, 7)
        assert used(home) == after


def test_a_copy_that_was_interrupted_begins_anew_and_one_that_is_there_stays(tmp_path):
    write(tmp_path, OLD)
    with pytest.raises(errors.Superseded):
        kept_disks.keep(tmp_path, 7, lambda: True)
    assert not [p for p in tmp_path.iterdir() if p.is_dir()]
    (tmp_path / "kept-6").mkdir()
    (tmp_path / "kept-7.part").mkdir()
    (tmp_path / "kept-7.part" / "disk").write_text("half")
    kept_disks.keep(tmp_path, 7)
    assert [p.name for p in tmp_path.iterdir() if p.is_dir()] == ["kept-7"]
    write(tmp_path, NEW)
    kept_disks.keep(tmp_path, 7)
    assert (tmp_path / "kept-7" / "disk").read_text() == "old root", "the guest may have been started since"


def test_a_disk_that_cannot_be_copied_is_a_reason(tmp_path):
    (tmp_path / "disk").symlink_to("/proc/self/mem")
    with pytest.raises(errors.StepFailed, match="could not be copied"):
        kept_disks.keep(tmp_path, 7)
    assert [p.name for p in tmp_path.iterdir()] == ["disk"]
