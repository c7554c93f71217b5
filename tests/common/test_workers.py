"""Workers: bounded, in order about the same thing, and never twice the same."""

import threading

import prometheus_client
import pytest

from common import context
from common.periodic import wait_for
from common.shares import Shares
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
        wait_for(lambda: len(self.begun) >= count, 30, every_s=0.01, what=f"{count} begun")
        return self.begun

    def finish(self, count: int) -> list:
        self.open.set()
        wait_for(lambda: len(self.ended) >= count, 30, every_s=0.01, what=f"{count} ended")
        return self.ended


@pytest.fixture
def gate():
    made = Gate(Workers("agent", {"slow": 2, "other": 1}, most_waiting=3))
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


def test_a_repeat_is_dropped_while_it_waits_and_taken_once_while_it_runs(gate):
    """What runs may have been reported already, and what is asked for now be another thing by the same name."""
    assert gate.put("a", "stop")
    gate.wait_begun(1)
    assert gate.put("a", "stop") and not gate.put("a", "stop") and gate.workers.has("a", ("stop",))
    assert gate.finish(2) == [("a", "stop")] * 2
    wait_for(lambda: not gate.workers.has("a", ("stop",)), 30, what="the end")
    assert gate.put("a", "stop")
    assert gate.finish(3) == [("a", "stop")] * 3


def _counted(lane: str) -> tuple[float, float]:
    def of(name):
        return prometheus_client.REGISTRY.get_sample_value(name, {"agent": "counted", "lane": lane})
    return of("pileus_work_waiting"), of("pileus_work_running")


def test_lanes_are_counted():
    # Another name than that of the other tests, whose threads may still be ending.
    gate = Gate(Workers("counted", {"slow": 2, "other": 1}, most_waiting=3))
    for about in "abcd":
        gate.put(about, "build")
    gate.put("x", "power", "other")
    gate.wait_begun(3)
    assert _counted("slow") == (2, 2) and _counted("other") == (0, 1)
    gate.finish(5)
    wait_for(lambda: _counted("slow") == _counted("other") == (0, 0), 30, what="nothing to be left")


def test_work_for_which_the_host_has_no_thread_is_done_later(gate, monkeypatch):
    """And what else there is about the same thing is not kept waiting for ever."""
    def refuse(self):
        raise RuntimeError("can't start new thread")
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        assert gate.put("a", "build")
    gate.put("b", "power", "other")
    assert sorted(gate.finish(2)) == [("a", "build"), ("b", "power")]


def test_too_many_are_refused_but_what_is_first_is_taken_and_overtakes(gate):
    for about in "abcde":
        assert gate.put(about, "build")
    assert not gate.put("f", "build")
    assert gate.put("c", "delete", first=True) and gate.put("d", "delete", first=True)
    assert [name for about, name in gate.finish(7) if about == "c"] == ["delete", "build"]


def test_an_error_does_not_end_a_worker_thread(gate):
    def fails():
        raise RuntimeError("unexpected")
    for n in range(3):
        assert gate.workers.put(None, f"{n}", ("x",), fails, lane="other")
    wait_for(lambda: not gate.workers.has("2", ("x",)), 30, what="the last error")
    gate.put("z", "power", "other")
    assert gate.finish(1) == [("z", "power")]


def test_work_has_the_context_of_its_request(gate):
    seen = []
    ctx = context.service_context(request_id="req-11111111-2222-4333-8444-555555555555")
    gate.workers.put(ctx, "a", ("x",), lambda: seen.append(context.active()), lane="slow")
    wait_for(lambda: seen, 30, what="the work")
    assert seen == [ctx]


def test_a_project_does_not_take_the_last_threads_of_a_lane():
    made = Gate(Workers("agent", {"slow": 4}, kept={"slow": 1}))
    one, two = (context.service_context(project_id=name) for name in ("one", "two"))
    for about in "abcde":
        made.put(about, "stop", ctx=one)
    made.put("x", "stop", ctx=two)
    assert sorted(made.wait_begun(4)) == [("a", "stop"), ("b", "stop"), ("c", "stop"), ("x", "stop")]
    assert made.workers.waiting() == 2 and len(made.finish(6)) == 6


def test_what_was_given_back_is_there_for_everybody():
    shares = Shares(3, kept=1)
    assert [shares.take(project) for project in ("one", "one", "one", "two", "two", "three")] == [
        True, True, False, True, False, False]
    shares.give_back("two")
    assert not shares.take("one") and shares.take("two") and shares.used == 3
