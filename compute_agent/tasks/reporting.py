"""Reports the steps of tasks as events of the server's action, in as few messages as possible."""

import time

from common import errors
from common.tasks import Task

LONGEST = 10_000  # maximum length of a reported error


class ReportingTask(Task):
    """A task on one server. ``agent`` is the compute agent's service object."""

    def __init__(self, agent):
        self.agent = agent
        self.retry_s = min(self.retry_s, float(agent.conf.agent.build_retry_s))
        self.events: list[dict] = []

    @staticmethod
    def server_of(state: dict) -> str:
        return state["uuid"] if "uuid" in state else state["instance"]["uuid"]

    def exclusive(self, state: dict):
        return self.agent.lock(self.server_of(state))

    def attempt_of(self, state: dict) -> int | None:
        """The attempt that this task belongs to, if the state records one."""
        return None

    def current(self, state: dict) -> dict | None:
        """The current row of the server; None if it is gone, on another host, or in another attempt."""
        instance = self.agent.conductor.get_instance(self.agent.context(), self.server_of(state))
        if instance is None or instance["host"] != self.agent.conf.host:
            return None
        return instance if self.attempt_of(state) in (None, instance["attempt"]) else None

    def started(self, step: str, state: dict) -> None:
        self._close("Success")
        self.begin(f"{self.name}_{step}")

    def begin(self, event: str) -> None:
        self.events.append({"event": event, "host": self.agent.conf.host, "start": time.time()})

    def _close(self, result: str, details: str | None = None) -> None:
        if self.events and "finish" not in self.events[-1]:
            self.events[-1].update(finish=time.time(), result=result, details=details)

    def take_events(self, error: Exception | None = None) -> list[dict]:
        """Returns the unreported events, and closes the last one with the result."""
        self._close("Error" if error else "Success", str(error)[:LONGEST] if error else None)
        taken, self.events = self.events, []
        return taken


def reason(error: Exception) -> str:
    """The public text of a failure: declared errors as they are, others without details."""
    if isinstance(error, errors.Error):
        return str(error)[:LONGEST]
    return "An unexpected error occurred on the host. Its cause is in the log, under the id of this request."
