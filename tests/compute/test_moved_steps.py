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
        conf=types.SimpleNamespace(host="a", my_ip="127.0.0.1"), lock=lambda uuid: lock, settle=lambda uuid: True,
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


@pytest.mark.parametrize(("source", "remembered"), [("a", {"s": LastStep("o", 1, "stop", None, None, {})}), ("b", {})])
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
    assert agent.ran == ["s"] and agent.conductor.asked == [("guest_moved", "o", 4, "b", 2.0)]
    again = target(Asked(begin_operation_step=work))  # the answer to the first request was lost
    assert live.moved(again, ctx, "s", "o", 4) == (True, work) and again.ran == ["s"]
    late = target(Asked())
    with pytest.raises(errors.StepFailed, match="not migrated to host b now"):
        live.moved(late, ctx, "s", "o", 4)
    silent = target(Asked(guest_moved=errors.ServiceUnavailable(part="conductor")))
    with pytest.raises(errors.ServiceUnavailable):
        live.moved(silent, ctx, "s", "o", 4)
    assert [timeout_s for *_, timeout_s in silent.conductor.asked] == [2.0, 4.0, 9.0]
    gone = target(Asked(), power=server_states.SHUTDOWN)
    assert live.moved(gone, ctx, "s", "o", 4) == (False, None) and not gone.conductor.asked
    assert late.ran == silent.ran == gone.ran == []


class Forgetful(Asked):
    """One whose first answer is lost, after it has recorded what it was asked."""

    def guest_moved(self, ctx, *args):
        self.asked.append(("guest_moved", *args))
        if len(self.asked) == 1:
            raise errors.ServiceUnavailable(part="conductor")


def test_a_guest_stands_still_for_two_seconds_if_the_answer_of_the_conductor_is_lost():
    agent = target(Forgetful(begin_operation_step=told("arrive", 5)))
    assert live.moved(agent, context.service_context(), "s", "o", 4) == (True, told("arrive", 5)) and agent.ran == ["s"]
    assert agent.conductor.asked == [("guest_moved", "o", 4, "b", 2.0), ("guest_moved", "o", 4, "b", 4.0),
                                     ("begin_operation_step", "o", 5)]


def test_a_source_repeats_after_three_seconds_what_its_target_does_not_answer():
    agent, asked = target(Asked()), []

    def guest_moved(ctx, host, *args):
        asked.append((host, *args))
        if len(asked) == 1:
            raise errors.ServiceUnavailable(part="b")
        return True
    agent.conf.host, agent.driver.power_states = "a", lambda: {}
    agent.recovered_lock, agent.peers = lambda uuid: contextlib.nullcontext(), types.SimpleNamespace(guest_moved=guest_moved)
    Operations(agent).operation_step(context.service_context(), "s", "o", 4, told("migrate_live", 4))
    assert asked == [("b", "s", "o", 4, 3.0), ("b", "s", "o", 4, 12.0)]
    assert not agent.conductor.asked and agent.last_steps["s"].step == "migrate_live"


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


RESULT = {"attachments": {}}
INCOMING = {"offer": {"address": "b", "port": 1}, "guest": "as it arrives"}


def preparing(*, takes_over: dict, away: Exception | None = None):
    """A target that prepares for a guest, and what was changed and told by it."""
    done: list = []

    def guest_expected(ctx, *args):
        if away:
            raise away
        done.append(("guest_expected", *args))
    return types.SimpleNamespace(
        done=done, conf=types.SimpleNamespace(host="b"), last_steps={}, conductor=Asked(), cancelled=lambda uuid: False,
        peers=types.SimpleNamespace(offer_disks=lambda *args: {"disks": {"disk": None}, **takes_over},
                                    guest_expected=guest_expected),
        incomings=types.SimpleNamespace(close=lambda uuid: None, open=lambda uuid, channels: INCOMING["offer"]),
        ports=types.SimpleNamespace(existing=lambda info: ([], []), share=lambda *args, **more: ([], ["port"])),
        driver=types.SimpleNamespace(
            destroy=lambda uuid: done.append("destroy"), begin_import=lambda instance: None, local_paths=lambda instance: {},
            prepare_incoming=lambda *args: done.append("prepared"), open_incoming=lambda instance: (INCOMING["guest"], None)))


def prepare(agent, last: LastStep | None = None) -> None:
    agent.recovered_lock = lambda uuid: contextlib.nullcontext(last)
    work = {**told("prepare_live", 3), "instance": {"network_info": [], "block_devices": []}}
    Operations(agent).operation_step(context.service_context(), "s", "o", 3, work)


REPORTED = [("end_operation_step", "o", 3, {"host": "b", "result": RESULT})]


def test_a_target_tells_the_source_that_it_expects_the_guest_and_reports_nothing_itself():
    agent = preparing(takes_over={"takes_over": True})
    prepare(agent)
    assert agent.done == ["destroy", "prepared", ("guest_expected", "a", "s", "o", 3, RESULT, INCOMING)]
    assert not agent.conductor.asked and agent.last_steps["s"].result == RESULT


@pytest.mark.parametrize(("takes_over", "away"), [({}, None), ({"takes_over": True}, errors.ServiceUnavailable(part="a"))])
def test_a_target_reports_itself_where_the_source_is_of_the_release_before_or_away(takes_over, away):
    agent = preparing(takes_over=takes_over, away=away)
    prepare(agent)
    assert agent.done == ["destroy", "prepared"] and agent.conductor.asked == REPORTED


def test_a_target_that_has_prepared_only_reports_that_when_it_is_asked_again():
    """The guest may be on its way by then: what it arrives at must stay."""
    agent = preparing(takes_over={"takes_over": True})
    prepare(agent)
    agent.done.clear()
    last = agent.last_steps.pop("s")
    prepare(agent, last)
    assert agent.done == [] and agent.conductor.asked == REPORTED and agent.last_steps == {"s": last}
    prepare(agent, LastStep("o", 2, "prepare_live", None, None, RESULT))
    assert "destroy" in agent.done, "what was prepared for an earlier attempt may be gone"


class Open:
    """A tunnel through which a guest may go."""

    is_there = True

    def __init__(self, offer: dict):
        self.offer = offer

    def is_open(self) -> bool:
        return self.is_there

    def __enter__(self):
        return self

    def __exit__(self, *about):
        pass


def expected(monkeypatch, conductor, *, is_open: bool = True):
    """What the source did that was told that its guest is expected."""
    monkeypatch.setattr(live, "Tunnel", type("Tunnel", (Open,), {"is_there": is_open}))
    done: list = []
    agent = types.SimpleNamespace(
        conf=types.SimpleNamespace(host="a", libvirt=types.SimpleNamespace(
            live_migration_completion_timeout=0, live_migration_timeout_action="abort")),
        conductor=conductor, recovered_lock=lambda uuid: contextlib.nullcontext(), last_steps={}, cancelled=lambda uuid: False,
        migrating=threading.BoundedSemaphore(1), peers=types.SimpleNamespace(
            open_migration=lambda ctx, *args: {"offer": {"port": 2}, "guest": "anew"}, guest_moved=lambda *args: True),
        driver=types.SimpleNamespace(
            power_states=lambda: {"s": server_states.RUNNING},
            migrate=lambda uuid, guest, tunnel, watch: done.append((guest, tunnel.offer["port"]))))
    Operations(agent).guest_expected(context.service_context(), "s", "o", 3, RESULT, INCOMING)
    return done


@pytest.mark.parametrize(("is_open", "way"), [(True, ("as it arrives", 1)), (False, ("anew", 2))])
def test_a_source_reports_for_its_target_and_lets_the_guest_go_where_it_is_expected(monkeypatch, is_open, way):
    work = {**told("migrate_live", 4), "instance": {"memory_mb": 64, "flavor": {"disk": 1}}}
    conductor = Asked(guest_expected=work)
    assert expected(monkeypatch, conductor, is_open=is_open) == [way]
    assert conductor.asked == [("guest_expected", "o", 3, "a", RESULT)], "no other question"


@pytest.mark.parametrize("answer", [None, errors.ServiceUnavailable(part="conductor"), errors.ServiceTooOld(part="conductor")])
def test_a_source_keeps_its_guest_where_the_conductor_does_not_say_that_it_is_to_go(monkeypatch, answer):
    conductor = Asked(guest_expected=answer)
    assert expected(monkeypatch, conductor) == []
    assert conductor.asked == [("guest_expected", "o", 3, "a", RESULT)]
