"""The task engine: order, undo, recovery, repeats."""

import threading

import pytest

from common import errors, tasks
from common.tasks import Engine, Journal, Killed, Task


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
    ("undo", ["drive back", "unpack", "failed drive"]), ("resume", ["drive", "arrive"])])
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


def test_undo_that_fails_is_kept_and_tried_again(engine):
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


def test_a_part_that_is_away_is_waited_for(engine):
    class Patient(Trip):
        tries = 0

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
