"""What agents report of a failure fits into its message, however much the failure says."""

import types

from common import errors
from compute_agent.tasks.reporting import ReportingTask, reason
from conductor.rpcapi import ConductorAPI


def test_a_very_long_error_is_cut_and_reported():
    conf = types.SimpleNamespace(host="h", agent=types.SimpleNamespace(build_retry_s=0))
    task = ReportingTask(types.SimpleNamespace(conf=conf))
    error = errors.StepFailed(reason="x" * 100_000)
    task.begin("step")
    method = ConductorAPI.methods["fail"]
    message = method.message({"uuid": "a", "host": "h", "action": "spawn", "message": reason(error), "reschedule": True,
                              "events": task.take_events(error), "attempt": 1}, method.version)
    assert message["message"].startswith("xxx") and message["events"][0]["details"].startswith("xxx")
    assert len(message["message"]) == len(message["events"][0]["details"]) == 10_000
