"""The console log of a guest that is not there at the moment."""

import contextlib
import types

import pytest

from common import errors
from common.calls import Call
from compute_api import access
from compute_api.services import servers


def test_a_guest_that_is_being_restarted_is_a_conflict(monkeypatch):
    def missing(ctx, host, uuid, lines):
        raise errors.StepFailed(reason=f"The guest of instance {uuid} is missing on its host.")
    monkeypatch.setattr(access, "server", lambda *given: {"host": "a", "vm_state": "active", "task_state": "rebooting_hard"})
    svc = types.SimpleNamespace(db=types.SimpleNamespace(reader=lambda: contextlib.nullcontext()),
                                agents=types.SimpleNamespace(console_output=missing))
    with pytest.raises(errors.Conflict, match="Instance i is not ready: The guest of instance i is missing on its host."):
        servers.console_output(Call(svc, None), "i", None)
