"""Steps of tasks as events of the server's action, sent in as few messages as can be."""

import time

from common import errors
from common.tasks import Task

LONGEST = 10_000  # characters of an error that are reported: more would fit into no message


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
        """The number of the attempt that this task is, where the server's row has one of it."""
        return None

    def current(self, state: dict) -> dict | None:
        """The server as the database has it now; None where it is gone, another host's, or in another attempt."""
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
        """The events not yet reported; the last one is closed with the outcome."""
        self._close("Error" if error else "Success", str(error)[:LONGEST] if error else None)
        taken, self.events = self.events, []
        return taken


def reason(error: Exception) -> str:
    """What a user may read of a failure: declared errors as they are, others by their kind alone."""
    if isinstance(error, errors.Error):
        return str(error)[:LONGEST]
    return "An unexpected error happened on the host; its operator finds the cause under the request id."
