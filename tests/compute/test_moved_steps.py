"""What a host does for an operation, where its server is gone meanwhile."""

import contextlib
import types

from common import context
from compute_agent.operations import Operations


def test_what_is_left_of_a_deleted_server_is_removed_and_reported():
    done, work = [], {"uuid": "s", "step": "remove", "attempt": 0, "data": {"host": "a"}, "instance": None}
    agent = types.SimpleNamespace(
        conf=types.SimpleNamespace(host="a"), recovered_lock=lambda uuid: contextlib.nullcontext(),
        driver=types.SimpleNamespace(destroy=lambda uuid: done.append("destroy"), remove_files=lambda uuid: done.append("files")),
        conductor=types.SimpleNamespace(begin_operation_step=lambda ctx, operation_id, number: work,
                                        is_step_current=lambda ctx, operation_id, number: True,
                                        end_operation_step=lambda ctx, *report: done.append(report)))
    Operations(agent).operation_step(context.service_context(), "s", "o", 1)
    assert done == ["destroy", "files", ("o", 1, {"host": "a", "result": {}})]
