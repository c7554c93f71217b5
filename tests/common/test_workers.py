"""Workers: bounded, in order about the same thing, and never twice the same."""

import threading

import pytest

from common import context
from common.periodic import wait_for
from common.workers import Workers


class Gate:
    """Work that waits until it is let through, and what has begun."""

    def __init__(self, workers: Workers):
        self.workers, self.begun, self.ended = workers, [], []
        self.open = threading.Event()

    def put(self, about: str, name: str, lane: str = "slow", *, first: bool = False, ctx=None) -> bool:
        def work():
            self.begun.append((about, name))
            assert self.open.wait(10)
            self.ended.append((about, name))
        return self.workers.put(ctx, about, (name,), work, lane=lane, first=first)

    def wait_begun(self, count: int) -> list:
        wait_for(lambda: len(self.begun) >= count, 5, every_s=0.01, what=f"{count} begun")
        return self.begun

    def finish(self, count: int) -> list:
        self.open.set()
        wait_for(lambda: len(self.ended) >= count, 5, every_s=0.01, what=f"{count} ended")
        return self.ended


@pytest.fixture
def gate():
    made = Gate(Workers({"slow": 2, "other": 1}, most_waiting=3))
    yield made
    made.open.set()


def test_no_more_threads_than_the_lane_has_and_other_lanes_do_not_wait(gate):
    for about in "abc":
        assert gate.put(about, "build")
    gate.put("d", "power", "other")
    assert sorted(gate.wait_begun(3)) == [("a", "build"), ("b", "build"), ("d", "power")]
    assert gate.workers.waiting() == 1 and len(gate.finish(4)) == 4


def test_one_at_a_time_about_the_same_thing_in_order(gate):
    for name in ("build", "stop", "start"):
        gate.put("a", name)
    assert gate.wait_begun(1) == [("a", "build")] and gate.workers.waiting() == 2
    assert [name for _, name in gate.finish(3)] == ["build", "stop", "start"]


def test_order_holds_across_lanes(gate):
    gate.put("x", "power", "other")
    gate.put("a", "power", "other")
    gate.put("a", "build")
    gate.wait_begun(1)
    assert gate.begun == [("x", "power")], "the build of a came after its power, which waits for a thread"
    assert [e for e in gate.finish(3) if e[0] == "a"] == [("a", "power"), ("a", "build")]


def test_a_repeat_is_dropped_while_it_waits_or_runs_and_taken_afterwards(gate):
    assert gate.put("a", "build") and not gate.put("a", "build")
    gate.put("a", "stop")
    assert not gate.put("a", "stop") and gate.workers.has("a", ("stop",))
    gate.finish(2)
    wait_for(lambda: not gate.workers.has("a", ("stop",)), 5, what="the end")
    assert gate.put("a", "build")


def test_too_many_are_refused_but_what_is_first_is_taken_and_overtakes(gate):
    for about in "abcde":
        assert gate.put(about, "build")
    assert not gate.put("f", "build")
    assert gate.put("c", "delete", first=True) and gate.put("d", "delete", first=True)
    assert [name for about, name in gate.finish(7) if about == "c"] == ["delete", "build"]


def test_an_error_takes_no_thread_away(gate):
    def fails():
        raise RuntimeError("unexpected")
    for n in range(3):
        assert gate.workers.put(None, f"{n}", ("x",), fails, lane="other")
    wait_for(lambda: not gate.workers.has("2", ("x",)), 5, what="the last error")
    gate.put("z", "power", "other")
    assert gate.finish(1) == [("z", "power")]


def test_work_has_the_context_of_who_asked(gate):
    seen = []
    ctx = context.service_context(request_id="req-11111111-2222-4333-8444-555555555555")
    gate.workers.put(ctx, "a", ("x",), lambda: seen.append(context.active()), lane="slow")
    wait_for(lambda: seen, 5, what="the work")
    assert seen == [ctx]
