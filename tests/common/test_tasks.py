"""The task engine: order, undo, recovery, repeats."""

import errno
import threading
import time
import types

import pytest

from common import errors, tasks
from common.tasks import Engine, Journal, Task


class Killed(BaseException):
    """In place of ``kill -9``: nothing runs after it, not even an undo."""


class Trip(Task):
    name, steps, retry_s = "trip", ("pack", "drive", "arrive"), 1.0

    def __init__(self, log, *, broken=None, on_crash="undo"):
        self.log, self.broken, self.on_crash = log, broken, on_crash

    def _do(self, step):
        self.log.append(step)
        if self.broken == step:
            raise errors.StepFailed(reason=f"{step} is broken")

    def pack(self, state):
        self._do("pack")
        return {"bags": 2}

    def drive(self, state):
        self._do("drive")

    def arrive(self, state):
        self._do("arrive")

    def undo_pack(self, state):
        self.log.append("unpack")

    def undo_drive(self, state):
        self.log.append("drive back")

    def failed(self, step, error, state):
        self.log.append(f"failed {step}")


@pytest.fixture
def engine(tmp_path):
    yield Engine(Journal(tmp_path))
    tasks.INJECT = None


def test_steps_run_in_order_and_leave_no_journal(engine):
    log = []
    assert engine.run(Trip(log), "1", {"from": "home"}) == {"from": "home", "bags": 2}
    assert log == ["pack", "drive", "arrive"]
    assert engine.journal.records() == []


def test_failed_step_is_undone_too_in_reverse(engine):
    log = []
    with pytest.raises(errors.StepFailed, match="drive is broken"):
        engine.run(Trip(log, broken="drive"), "1", {})
    assert log == ["pack", "drive", "drive back", "unpack", "failed drive"]
    assert engine.journal.records() == []


@pytest.mark.parametrize(("on_crash", "expected"), [
    ("undo", ["drive back", "unpack", "failed drive"]), ("resume", ["drive", "arrive"]),
    ("restart", ["pack", "drive", "arrive"])])
def test_recovery_after_a_kill(engine, on_crash, expected):
    def kill(task, step, phase):
        if step == "drive" and phase == "executed":
            raise Killed()
    tasks.INJECT = kill
    with pytest.raises(Killed):
        engine.run(Trip([], on_crash=on_crash), "1", {})
    tasks.INJECT = None
    log = []
    successor = Engine(engine.journal)
    assert successor.recover(lambda name: Trip(log, on_crash=on_crash)) == 1
    assert log == expected
    assert engine.journal.records() == []


def test_a_failed_undo_is_kept_and_retried(engine):
    log, lucky = [], []

    class Stubborn(Trip):
        def undo_pack(self, state):
            if not lucky:
                raise errors.ServiceUnavailable(part="the wardrobe")
            log.append("unpack")
    with pytest.raises(errors.StepFailed):
        engine.run(Stubborn(log, broken="drive"), "1", {})
    assert len(engine.journal.records()) == 1
    lucky.append(True)
    engine.recover(lambda name: Stubborn(log))
    assert log[-2:] == ["unpack", "failed drive"]
    assert engine.journal.records() == []


def test_a_step_waits_for_an_unavailable_service(engine):
    class Patient(Trip):
        tries, retry_s = 0, 30

        def drive(self, state):
            self.tries += 1
            if self.tries < 3:
                raise errors.ServiceUnavailable(part="the road")
    task = Patient([])
    engine.run(task, "1", {})
    assert task.tries == 3


def test_the_same_task_does_not_run_twice_at_once(engine):
    started, go, log = threading.Event(), threading.Event(), []

    class Slow(Trip):
        def drive(self, state):
            started.set()
            go.wait(5)
    thread = threading.Thread(target=engine.run, args=(Slow(log), "1", {}))
    thread.start()
    started.wait(5)
    engine.run(Slow(log), "1", {})
    go.set()
    thread.join()
    assert log == ["pack", "arrive"]


def test_a_record_that_is_out_of_date_by_its_turn_is_not_undone(engine):
    """While one leftover is undone, which takes its time, another is taken up by new work and ends well."""
    journal = engine.journal
    for number in "12":
        journal.write({"task": "trip", "id": number, "state": {}, "done": ["pack"], "phase": "execute", "step": "drive"})
    log = []

    class Slow(Trip):
        def still_current(self, state):
            if not log:
                log.append("second ends")
                journal.remove({"task": "trip", "id": "2"})
            return True
    tasks.RECOVER_AT_ONCE, before = 1, tasks.RECOVER_AT_ONCE
    try:
        assert engine.recover(lambda name: Slow(log)) == 1
    finally:
        tasks.RECOVER_AT_ONCE = before
    assert log == ["second ends", "drive back", "unpack", "failed drive"]


def test_new_work_settles_what_a_crash_left(engine):
    engine.journal.write({"task": "trip", "id": "1", "state": {"from": "crash"}, "done": ["pack"], "phase": "execute",
                          "step": "drive"})
    log = []
    assert engine.run(Trip(log, on_crash="resume"), "1", {"from": "new"}) == {"from": "crash"}
    assert log == ["drive", "arrive"] and engine.journal.records() == []


@pytest.mark.parametrize("phase", ["execute", "undo"])
def test_what_is_another_hosts_by_now_is_abandoned(engine, phase):
    engine.journal.write({"task": "trip", "id": "1", "state": {}, "done": ["pack"], "phase": phase, "step": "drive",
                          "error": "x"})
    log = []

    class Elsewhere(Trip):
        def still_current(self, state):
            return False

        def discard(self, state):
            log.append("abandoned")
    engine.recover(lambda name: Elsewhere(log, on_crash="resume"))
    assert log == ["abandoned"] and engine.journal.records() == []


def test_a_failure_is_reported_after_its_undo(engine):
    """Who hears of it gives the work to another host, and the undo would then take what that one made."""
    log = []

    class Stubborn(Trip):
        def undo_pack(self, state):
            raise errors.ServiceUnavailable(part="the wardrobe")
    with pytest.raises(errors.StepFailed):
        engine.run(Stubborn(log, broken="drive"), "1", {})
    assert "failed drive" not in log


def test_a_completion_that_cannot_be_reported_is_reported_later_and_not_undone(engine):
    log, away = [], [True]

    class Silent(Trip):
        def done(self, state):
            if away:
                raise errors.ServiceUnavailable(part="the message bus")
            log.append("done")
    with pytest.raises(errors.ServiceUnavailable):
        engine.run(Silent(log, on_crash="resume"), "1", {})
    away.clear()
    engine.recover(lambda name: Silent(log, on_crash="resume"))
    assert log == ["pack", "drive", "arrive", "arrive", "done"] and engine.journal.records() == []


@pytest.mark.parametrize(("retry_s", "tries"), [(20.0, 2), (0.0, 1)])
def test_a_step_whose_first_attempt_took_all_the_time_is_retried_once(engine, monkeypatch, retry_s, tries):
    """As a call that waits for who was killed. But where nothing may wait, nothing does."""
    clock = iter(range(0, 10000, 30))
    monkeypatch.setattr(tasks, "time", types.SimpleNamespace(monotonic=lambda: next(clock), sleep=lambda seconds: None))
    log = []

    class Slow(Trip):
        def drive(self, state):
            log.append("drive")
            raise errors.ServiceUnavailable(part="the network service")
    task = Slow(log)
    task.retry_s = retry_s
    with pytest.raises(errors.ServiceUnavailable):
        engine.run(task, "1", {})
    assert log.count("drive") == tries


def test_a_waiting_step_ends_as_soon_as_it_is_not_needed(engine, monkeypatch):
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    log = []

    class Waits(Trip):
        def drive(self, state):
            log.append("drive")
            raise errors.ServiceUnavailable(part="the network service")

        def before_retry(self, step, state):
            if log.count("drive") == 3:
                raise errors.Superseded()
    with pytest.raises(errors.Superseded):
        engine.run(Waits(log), "1", {})
    assert log[:4] == ["pack", "drive", "drive", "drive"] and "unpack" in log and engine.journal.records() == []


@pytest.mark.parametrize("content", [b"", b'{"task": "trip", "id": "0", "sta', b"[]", b"\xff\0", b'{"task": "trip", "id": "0"}',
                                     b'{"task": "trip", "id": "7", "state": {}, "done": [], "phase": "undo", "step": "pack"}'])
def test_a_broken_journal_is_set_aside_and_the_others_are_finished(engine, content):
    path = engine.journal.directory / "trip-0.json"
    path.write_bytes(content)
    engine.journal.write({"task": "trip", "id": "1", "state": {}, "done": ["pack"], "phase": "execute", "step": "drive"})
    log = []
    assert engine.recover(lambda name: Trip(log)) == 1
    assert log == ["drive back", "unpack", "failed drive"]
    assert not path.exists() and path.with_suffix(".broken").read_bytes() == content


def test_a_disk_that_is_full_fails_the_task_and_all_is_undone(engine, monkeypatch):
    """It was neither done nor reported, and asked for again for ever."""
    log = []

    def full(record):
        raise OSError(errno.ENOSPC, "No space left on device")

    class Fills(Trip):
        def pack(self, state):
            super().pack(state)
            monkeypatch.setattr(engine.journal, "write", full)
    with pytest.raises(errors.StepFailed, match="no space"):
        engine.run(Fills(log), "1", {})
    assert log == ["pack", "drive back", "unpack", "failed drive"] and engine.journal.keys() == []
    log.clear()
    with pytest.raises(errors.StepFailed, match="no space"):
        engine.run(Trip(log), "2", {})
    assert log == ["unpack", "failed pack"]


@pytest.mark.parametrize("record", [{"task": "flight"}, {"task": "trip", "state": {"of": "nobody"}}])
def test_an_unreadable_record_stops_no_other_work(engine, record):
    """As after a return to the release before."""
    for number, values in enumerate((record, {})):
        engine.journal.write({"task": "trip", "id": f"{number}", "state": {"server": "s"}, "done": ["pack"], "phase": "execute",
                              "step": "drive", **values})
    log = []
    engine.settle(lambda name: {"trip": Trip(log)}[name], lambda task, state: state["server"] == "s")
    assert log == ["drive back", "unpack", "failed drive"]
    assert len(engine.journal.records()) == 1


@pytest.mark.parametrize("name", ["trip", "long-trip"])
def test_a_broken_journal_is_settled_by_its_name(engine, name):
    """Tried again until the task can tell; then nothing is left to show."""
    task_id, answers = "5f0c1b6e-5f43-4b1c-9d0e-0d2c8f1d2b3a", [errors.ServiceUnavailable(part="the database"), False, True]
    engine.journal.directory.joinpath(f"{name}-{task_id}.json").write_bytes(b"{")
    asked = []

    class Lost(Trip):
        def record_unreadable(self, task_id):
            asked.append(task_id)
            answer = answers[len(asked) - 1]
            if isinstance(answer, Exception):
                raise answer
            return answer

    def make(found):
        assert found == name
        return Lost([])
    for n in (1, 2, 3):
        engine.recover(make)
        assert asked == [task_id] * n
        assert engine.journal.broken() == ([] if n == 3 else [f"{name}-{task_id}"])
    assert engine.recover(make) == 0
