"""What a host does for an operation of its server, or what is left of it."""

import contextlib
import types

import pytest

from common import context, errors
from compute_agent import migration
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


@pytest.mark.parametrize(("left", "asks"), [(("o", 4), False), (("o", 3), True), (("other", 4), True), (None, True)])
def test_a_disk_is_offered_without_a_question_only_in_the_step_after_the_guest_was_stopped(tmp_path, left, asks):
    disk, asked = tmp_path / "disk", []
    disk.write_bytes(b"x")
    agent = types.SimpleNamespace(
        conf=types.SimpleNamespace(host="a", my_ip="127.0.0.1"), leaving={"s": left} if left else {},
        conductor=types.SimpleNamespace(begin_operation_step=lambda ctx, *step: asked.append(step)),
        driver=types.SimpleNamespace(export_disks=lambda uuid: {"disk": str(disk), "local": []}))
    if asks:
        with pytest.raises(errors.StepFailed, match="No host is to fetch the disk"):
            migration.offer_disks(agent, context.service_context(), "s", "o", 5)
        assert asked == [("o", 5)]
        return
    assert migration.offer_disks(agent, context.service_context(), "s", "o", 5)["sizes"] == {"disk": 1}


@pytest.mark.parametrize(("source", "remembered"), [("a", {"s": ("o", 1)}), ("b", {})])
def test_what_a_host_remembers_of_a_stopped_guest_ends_with_any_other_work(source, remembered):
    work = {"uuid": "s", "step": "stop", "attempt": 0, "data": {"source": source, "target": "c"}, "instance": None, "number": 1,
            "goes_on": False}
    agent = types.SimpleNamespace(
        conf=types.SimpleNamespace(host="a"), leaving={}, lock=lambda uuid: contextlib.nullcontext(),
        tasks=types.SimpleNamespace(settle=lambda *args: None), make_task=None,
        driver=types.SimpleNamespace(power_states=lambda: {}),
        conductor=types.SimpleNamespace(begin_operation_step=lambda ctx, operation_id, number: work,
                                        end_operation_step=lambda *args: None))
    agent.recovered_lock = lambda uuid: ComputeAgent.recovered_lock(agent, uuid)
    Operations(agent).operation_step(context.service_context(), "s", "o", 1)
    assert agent.leaving == remembered
    with agent.recovered_lock("s"):
        assert agent.leaving == {}


def test_a_host_forgets_a_stopped_guest_that_is_deleted():
    agent = types.SimpleNamespace(leaving={"s": ("o", 1), "other": ("p", 1)}, lock=lambda uuid: contextlib.nullcontext(),
                                  conductor=types.SimpleNamespace(get_instance=lambda ctx, uuid: None))
    Operations(agent).delete(context.service_context(), "s")
    assert agent.leaving == {"other": ("p", 1)}
