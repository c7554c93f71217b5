"""What an operation is made of: its kind, which reads like a table of contents, and a step of it in progress."""

import dataclasses
import typing

from common import context, errors
from conductor.db import hosts, operations
from conductor.db.operations import FORWARD


class Wait:
    """Returned by a step that has been requested from an agent."""


WAIT = Wait()


@dataclasses.dataclass
class Job:
    """A step of an operation in progress. ``row`` is the operation's, ``instance`` the server's or None; ``held``: whether this
    thread has the lease; without it, it may only request the step from a host; ``work``: what that host is told with the request,
    as ``OperationStep``."""

    service: typing.Any
    ctx: context.Context
    row: dict
    instance: dict | None
    held: bool = True
    work: dict | None = None

    @property
    def uuid(self) -> str:
        return self.row["instance_uuid"]

    @property
    def data(self) -> dict:
        return self.row["data"]

    @property
    def method(self) -> str:
        """The method of the operation that executes or undoes the step."""
        return self.row["step"] if self.row["phase"] == FORWARD else f"undo_{self.row['step']}"

    def is_up(self, host: str) -> bool:
        with self.service.db.reader() as connection:
            return hosts.service_up(connection, host, self.service.conf.service_down_time)

    def ask(self, host: str) -> Wait:
        """Request this step from a host's agent. Repeatable: the agent ignores a step that it is already executing.

        :raises ServiceUnavailable: the host is down; it is asked again later
        """
        if not self.is_up(host):
            raise errors.ServiceUnavailable(part=f"host {host}")
        return self._send(host)

    def _send(self, host: str) -> Wait:
        told = [self.work] if self.work else []
        self.service.agents.operation_step(self.ctx, host, self.uuid, self.row["id"], self.row["number"], *told)
        return WAIT

    def ask_or_fail(self, host: str, *, is_up: bool | None = None) -> Wait:
        """As ``ask``. ``is_up``: whether the host is, if that is known.

        :raises StepFailed: the host is down
        """
        if not (self.is_up(host) if is_up is None else is_up):
            raise errors.StepFailed(reason=f"Host {host} does not answer.")
        return self._send(host)

    def ask_if_up(self, host: str) -> Wait | None:
        """As ``ask``, but None, which ends the step, if the host is down."""
        return self._send(host) if self.is_up(host) else None

    def check(self) -> None:
        """Check that the operation is still at this step, after reading something and before changing it.

        :raises Superseded: it is not
        """
        with self.service.db.reader() as connection:
            now, server = operations.get_with_server(connection, self.row["id"])
        if now is None or now["number"] != self.row["number"] or server is None or server["attempt"] != self.row["attempt"]:
            raise errors.Superseded()


class Operation:
    """A kind of operation. Subclasses define ``kind``, ``steps``, and the methods of the steps.

    ``host_steps``: {step or "undo_" + step: method of ``compute_agent.migration.HostSteps`` that the agent executes}
    ``idle``: steps that do nothing, so that they have only an undo; they are recorded with the step before
    ``told``: steps that their host is told with the request, because it finds out whether they are wanted in another way than by
        asking what they are. Only the first request tells: a repeated one is answered with a question
    ``columns``: {step or "undo_" + step: key of the operation's data with columns that replace those of the server's row}
    ``notifications``: event types for success and failure, without "compute.instance."
    ``patient``: undoable steps that wait for an unavailable host or service however long it takes, because only that one knows
        whether the step has been executed
    ``of_attempt``: whether a new attempt of its server ends it
    ``followed``: whether its end may begin other operations of the server, to be run immediately
    """

    kind = ""
    steps: tuple[str, ...] = ()
    undoable: tuple[str, ...] = ()
    patient: tuple[str, ...] = ()
    host_steps: dict[str, str] = {}
    idle: tuple[str, ...] = ()
    told: tuple[str, ...] = ()
    columns: dict[str, str] = {}
    notifications: tuple[str, str] | None = None
    of_attempt = True
    followed = False

    def finished(self, connection, job: Job) -> None:
        """Called in the transaction that ends the operation after its last step."""

    def failed(self, connection, job: Job, error: str) -> None:
        """Called in the transaction that ends the operation after all undos."""

    def superseded(self, connection, job: Job) -> None:
        """Called in the transaction that ends the operation because the server is in another attempt, or deleted."""

    def is_current(self, job: Job) -> bool:
        return job.instance is not None and job.instance["attempt"] == job.row["attempt"]

    def skips(self, job: Job, step: str) -> bool:
        """Whether a step has nothing to do, or to undo, and is neither executed nor recorded."""
        return False

    def goes_on(self, job: Job) -> bool:
        """Whether the host that executes this step executes the next one too: it is told with the answer to its report."""
        return False

    def handed_over_by(self, connection, job: Job, host: str) -> str | None:
        """The host that has executed this step, if ``host`` reports that for it, and executes the next one; otherwise None.

        :raises StepFailed: the operation is not to go on
        """
        return None

    def host_step(self, job: Job) -> str:
        """The method of ``HostSteps`` that the agent executes for this step."""
        return self.host_steps[job.method]
