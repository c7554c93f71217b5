"""What a host does for an operation of its server, or what is left of it."""

import contextlib
import threading
import types

import pytest

from common import context, errors, server_states
from compute_agent import live, migration
from compute_agent.last_step import LastStep
from compute_agent.operations import Operations
from compute_agent.service import ComputeAgent


def test_what_is_left_of_a_deleted_server_is_removed_and_reported():
    done, work = [], {"uuid": "s", "step": "remove", "attempt": 0, "data": {"host": "a"}, "instance": None,
                       "number": 1, "goes_on": False}
    agent = types.SimpleNamespace(
        conf=types.SimpleNamespace(host="a"), recovered_lock=lambda uuid: contextlib.nullcontext(),
        driver=types.SimpleNamespace(destroy=lambda uuid: done.append("destroy"), remove_files=lambda uuid: done.append("files")),
        conductor=types.SimpleNamespace(begin_operation_step=lambda ctx, operation_id, number: work,
                                        is_step_current=lambda ctx, operation_id, number: True,
                                        end_operation_step=lambda ctx, *report: done.append(report)))
    Operations(agent).operation_step(context.service_context(), "s", "o", 1)
    assert done == ["destroy", "files", ("o", 1, {"host": "a", "result": {}})]


@pytest.mark.parametrize(("left", "asks"), [
    (("o", 4, "stop"), False), (("o", 3, "stop"), True), (("other", 4, "stop"), True), (("o", 4, "migrate_live"), True),
    (None, True)])
def test_a_disk_is_offered_without_a_question_only_in_the_step_after_the_guest_was_stopped(tmp_path, left, asks):
    disk, asked, lock = tmp_path / "disk", [], threading.Lock()
    disk.write_bytes(b"x")
    agent = types.SimpleNamespace(
        conf=types.SimpleNamespace(host="a", my_ip="127.0.0.1"), lock=lambda uuid: lock,
        last_steps={"s": LastStep(*left, None)} if left else {},
        conductor=types.SimpleNamespace(begin_operation_step=lambda ctx, *step: asked.append(step)),
        driver=types.SimpleNamespace(export_disks=lambda uuid: {"disk": str(disk), "local": []}))
    if asks:
        with pytest.raises(errors.StepFailed, match="No host is to fetch the disk"):
            migration.offer_disks(agent, context.service_context(), "s", "o", 5)
        assert asked == [("o", 5)]
        with lock, pytest.raises(errors.ServiceUnavailable, match="still works on"):
            migration.offer_disks(agent, context.service_context(), "s", "o", 5)
        return
    assert migration.offer_disks(agent, context.service_context(), "s", "o", 5)["sizes"] == {"disk": 1}


@pytest.mark.parametrize(("source", "remembered"), [("a", {"s": LastStep("o", 1, "stop", None)}), ("b", {})])
def test_what_a_host_remembers_of_a_stopped_guest_ends_with_any_other_work(source, remembered):
    work = {"uuid": "s", "step": "stop", "attempt": 0, "data": {"source": source, "target": "c"}, "instance": None, "number": 1,
            "goes_on": False}
    agent = types.SimpleNamespace(
        conf=types.SimpleNamespace(host="a"), last_steps={}, lock=lambda uuid: contextlib.nullcontext(),
        tasks=types.SimpleNamespace(settle=lambda *args: None), make_task=None,
        driver=types.SimpleNamespace(power_states=lambda: {}),
        conductor=types.SimpleNamespace(begin_operation_step=lambda ctx, operation_id, number: work,
                                        end_operation_step=lambda *args: None))
    agent.recovered_lock = lambda uuid: ComputeAgent.recovered_lock(agent, uuid)
    Operations(agent).operation_step(context.service_context(), "s", "o", 1)
    assert agent.last_steps == remembered
    with agent.recovered_lock("s"):
        assert agent.last_steps == {}


def test_a_host_forgets_a_stopped_guest_that_is_deleted():
    agent = types.SimpleNamespace(last_steps={"s": 1, "other": 2}, lock=lambda uuid: contextlib.nullcontext(),
                                  conductor=types.SimpleNamespace(get_instance=lambda ctx, uuid: None))
    Operations(agent).delete(context.service_context(), "s")
    assert agent.last_steps == {"other": 2}


class Asked:
    """A conductor that says what it was asked."""

    def __init__(self, **answers):
        self.asked: list[tuple] = []
        self._answers = answers

    def __getattr__(self, name):
        def method(ctx, *args):
            self.asked.append((name, *args))
            answer = self._answers.get(name)
            if isinstance(answer, Exception):
                raise answer
            return answer
        return method


def told(step: str, number: int) -> dict:
    return {"uuid": "s", "step": step, "attempt": 0, "data": {"source": "a", "target": "b", "vm_state": "active"}, "instance": {},
            "number": number, "goes_on": False}


@pytest.mark.parametrize(("last", "asks"), [
    (LastStep("o", 4, "migrate_live", None), False), (None, True), (LastStep("other", 4, "migrate_live", None), True),
    (LastStep("o", 4, "prepare_live", None), True), (LastStep("o", 6, "migrate_live", None), True)])
def test_what_is_left_of_a_guest_that_has_moved_is_removed_without_a_question_only_if_nothing_was_done_since(last, asks):
    """A request that is late or doubled finds that something was done, and the conductor says that it is outdated."""
    done: list[str] = []
    agent = types.SimpleNamespace(
        conf=types.SimpleNamespace(host="a"), recovered_lock=lambda uuid: contextlib.nullcontext(last), last_steps={},
        driver=types.SimpleNamespace(destroy=lambda uuid: done.append("destroy"), remove_files=lambda uuid: done.append("files")),
        conductor=Asked())
    Operations(agent).operation_step(context.service_context(), "s", "o", 6, told("remove", 6))
    assert done == ([] if asks else ["destroy", "files"]) and agent.last_steps == {}
    assert [name for name, *_ in agent.conductor.asked] == ["begin_operation_step" if asks else "end_operation_step"]


@pytest.mark.parametrize("step", ["stop", "receive", "start", "arrive", "destroy"])
def test_other_steps_ask_what_is_to_be_done_whatever_they_are_told(step):
    conductor = Asked()
    agent = types.SimpleNamespace(recovered_lock=lambda uuid: contextlib.nullcontext(None), conductor=conductor)
    Operations(agent).operation_step(context.service_context(), "s", "o", 6, told(step, 6))
    assert conductor.asked == [("begin_operation_step", "o", 6)]


def test_nothing_is_changed_on_a_target_whose_source_offers_nothing():
    """The source has asked the conductor, which says that the step is outdated."""
    changed, conductor = [], Asked()

    def offer_disks(*args):
        raise errors.StepFailed(reason="No host is to fetch the disk of instance s now.")
    agent = types.SimpleNamespace(
        conf=types.SimpleNamespace(host="b"), recovered_lock=lambda uuid: contextlib.nullcontext(None), last_steps={},
        conductor=conductor, cancelled=lambda uuid: False, peers=types.SimpleNamespace(offer_disks=offer_disks),
        driver=types.SimpleNamespace(destroy=changed.append), incomings=types.SimpleNamespace(close=changed.append),
        ports=types.SimpleNamespace(existing=lambda info: ([], [])))
    work = {**told("prepare_live", 3), "instance": {"network_info": []}}
    Operations(agent).operation_step(context.service_context(), "s", "o", 3, work)
    assert changed == [] and agent.last_steps == {}
    assert conductor.asked == [("end_operation_step", "o", 3, {
        "host": "b", "error": "No host is to fetch the disk of instance s now."})]


def target(conductor, power=server_states.PAUSED):
    ran: list[str] = []
    return types.SimpleNamespace(
        conf=types.SimpleNamespace(host="b"), conductor=conductor, last_steps={}, ran=ran, incomings=None,
        driver=types.SimpleNamespace(
            power_states=lambda: {"s": power}, unpause=ran.append, open_incoming=lambda one: (one, None)))


def test_a_guest_runs_on_its_target_after_the_conductor_has_recorded_that_it_is_there():
    ctx, work = context.service_context(), told("arrive", 5)
    agent = target(Asked(guest_moved=work))
    assert live.moved(agent, ctx, "s", "o", 4) == (True, work)
    assert agent.ran == ["s"] and agent.conductor.asked == [("guest_moved", "o", 4, "b")]
    again = target(Asked(begin_operation_step=work))  # the answer to the first request was lost
    assert live.moved(again, ctx, "s", "o", 4) == (True, work) and again.ran == ["s"]
    late = target(Asked())
    with pytest.raises(errors.StepFailed, match="not migrated to host b now"):
        live.moved(late, ctx, "s", "o", 4)
    silent = target(Asked(guest_moved=errors.ServiceUnavailable(part="conductor")))
    with pytest.raises(errors.ServiceUnavailable):
        live.moved(silent, ctx, "s", "o", 4)
    gone = target(Asked(), power=server_states.SHUTDOWN)
    assert live.moved(gone, ctx, "s", "o", 4) == (False, None) and not gone.conductor.asked
    assert late.ran == silent.ran == gone.ran == []


def test_a_conductor_of_the_release_before_gets_the_report_of_the_source_from_the_target():
    agent = target(Asked(guest_moved=errors.ServiceTooOld(part="conductor"), begin_operation_step=told("migrate_live", 4)))
    assert live.moved(agent, context.service_context(), "s", "o", 4) == (True, None) and agent.ran == ["s"]
    assert agent.conductor.asked[-1] == ("end_operation_step", "o", 4, {"host": "a", "result": {}})


@pytest.mark.parametrize(("last", "asks"), [
    (LastStep("o", 3, "prepare_live", {"uuid": "s"}), False), (LastStep("o", 2, "prepare_live", {"uuid": "s"}), True),
    (None, True)])
def test_a_target_expects_a_guest_without_a_question_only_in_the_step_after_it_was_prepared(last, asks):
    agent = target(Asked(begin_operation_step=told("migrate_live", 4)))
    agent.last_steps = {"s": last} if last else {}
    agent.incomings = types.SimpleNamespace(open=lambda uuid, channels: {"port": 1})
    assert live.open_migration(agent, context.service_context(), "s", "o", 4) == {
        "offer": {"port": 1}, "guest": {} if asks else {"uuid": "s"}}
    assert bool(agent.conductor.asked) == asks
