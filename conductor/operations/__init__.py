"""Operations that several hosts have a part in, each a journalled sequence of steps in the database.

A kind of operation reads as a table of contents::

    class Migrate(Operation):
        kind = "migrate"
        steps = ("claim", "stop", "copy", ...)
        def claim(self, job): ...        # returns JSON to merge into the operation's data, or None
        def undo_claim(self, job): ...
        def record_claim(self, connection, job): ...

A step is done here, in the conductor, or by a host's agent: then its method asks the agent (``job.ask``) and returns WAIT,
and the agent's report moves the operation on. ``record_<step>`` and ``record_undo_<step>`` write in the transaction in which
the step's end is recorded. A step may be done twice, also at the same time by two conductors, so each is idempotent; only
one of them records it.

Any conductor drives an operation that nobody holds the lease of. Who is killed holds it no longer than LEASE_S; who loses it
without knowing does his step once more than needed and can record nothing. A report carries the number of the step that it
is of, and an agent asks whether that is still the operation's number before it begins, so what is late changes nothing.

A step that fails is repeated as long as a part is away and patience lasts; then what was done is undone in reverse order.
Steps that are not ``undoable`` are repeated until they are done, as all undos are. Where the server's
attempt is not the operation's any more (it is deleted, or an operator has reset its state), the operation ends at once.
"""

import dataclasses
import logging
import threading
import typing

from common import context, db, errors, metrics, periodic
from common.workers import Workers
from conductor.db import actions, hosts, instances, operations
from conductor.db.operations import FORWARD, UNDO

LOG = logging.getLogger(__name__)
LEASE_S = 30.0
RESEND_S = 8.0  # after which an agent that has not reported is asked again; one that is still at it drops the repeat
RETRY_S, RETRY_MOST_S = 1.0, 15.0
PATIENCE_S = 300.0  # for which a step that can still be undone waits for a part that is away
AT_ONCE = 8
# Tests set this to a callable (kind, phase, step, moment); moment is "begin", "end" (the step's effect is there) or "recorded".
# A BaseException that it raises ends the work as the death of the conductor would.
INJECT: typing.Callable[[str, str, str, str], object] | None = None


class Wait:
    """What a step returns that an agent has been asked for."""


WAIT = Wait()


@dataclasses.dataclass
class Job:
    """A step of an operation that is being done. ``row`` is the operation's, ``instance`` the server's or None."""

    service: typing.Any
    ctx: context.Context
    row: dict
    instance: dict | None

    @property
    def uuid(self) -> str:
        return self.row["instance_uuid"]

    @property
    def data(self) -> dict:
        return self.row["data"]

    @property
    def method(self) -> str:
        """Of the operation's kind, that does the step or its undo."""
        return self.row["step"] if self.row["phase"] == FORWARD else f"undo_{self.row['step']}"

    def is_up(self, host: str) -> bool:
        with self.service.db.reader() as connection:
            return hosts.service_up(connection, host, self.service.conf.service_down_time)

    def ask(self, host: str) -> Wait:
        """Have a host's agent do this step. Repeatable: the agent drops what it does already.

        :raises ServiceUnavailable: the host is down; it is asked when it is back
        """
        if not self.is_up(host):
            raise errors.ServiceUnavailable(part=f"host {host}")
        self.service.agents.operation_step(self.ctx, host, self.uuid, self.row["id"], self.row["number"])
        return WAIT

    def ask_living(self, host: str) -> Wait:
        """:raises StepFailed: the host is down"""
        if not self.is_up(host):
            raise errors.StepFailed(reason=f"Host {host} does not answer.")
        return self.ask(host)

    def ask_if_up(self, host: str) -> Wait | None:
        """As ``ask``, but the step is done where the host is down."""
        return self.ask(host) if self.is_up(host) else None

    def check(self) -> None:
        """Before something is changed that was read: whether the operation is still at this step.

        :raises Superseded: it is not
        """
        with self.service.db.reader() as connection:
            now = operations.get(connection, self.row["id"])
            server = instances.states_of(connection, self.uuid)
        if now is None or now["number"] != self.row["number"] or server is None or server["attempt"] != self.row["attempt"]:
            raise errors.Superseded()


class Operation:
    """One kind of operation. Subclasses state ``kind``, ``steps``, and the methods of the steps.

    ``host_steps``: {step or "undo_" + step: what the agent does for it}, a method of ``compute_agent.migration.HostSteps``
    ``columns``: {the same: the member of the operation's data whose columns the server has there, instead of its row's}
    ``notifications``: the event types of its success and failure, without "compute.instance."
    ``of_attempt``: whether it ends when its server begins another attempt
    """

    kind = ""
    steps: tuple[str, ...] = ()
    undoable: tuple[str, ...] = ()
    host_steps: dict[str, str] = {}
    columns: dict[str, str] = {}
    notifications: tuple[str, str] | None = None
    of_attempt = True

    def finished(self, connection, job: Job) -> None:
        """In the transaction in which the operation ends after its last step."""

    def failed(self, connection, job: Job, error: str) -> None:
        """In the transaction in which it ends after all undos."""

    def superseded(self, connection, job: Job) -> None:
        """In the transaction in which it ends because the server is in another attempt, or gone."""

    def is_current(self, job: Job) -> bool:
        return job.instance is not None and job.instance["attempt"] == job.row["attempt"]


class Engine:
    """Drives operations.

    :param service: the conductor: ``db``, ``agents``, ``rest``, ``scheduler``, ``conf``
    :param kinds: all of them
    """

    def __init__(self, service, kinds: typing.Iterable[Operation]):
        self.service = service
        self.kinds = {k.kind: k for k in kinds}
        self.workers = Workers("operations", {"operations": AT_ONCE})

    def wake(self, operation_id: str) -> None:
        """Drive it soon, in a thread of its own."""
        self.workers.put(None, operation_id, ("drive",), lambda: self.drive(operation_id), lane="operations")

    def drive(self, operation_id: str) -> None:
        """Take it up, if nobody else does, and do what can be done without waiting."""
        holder = f"{self.service.conf.host}-{threading.get_ident():x}-{context.new_uuid()[:8]}"[:64]
        while row := self.service.db.transact(operations.take, operation_id, holder, LEASE_S):
            ctx = context.service_context(request_id=row["request_id"], project_id=row["project_id"])
            context.activate(ctx)
            try:
                if not self._advance(ctx, row):
                    return
            finally:
                context.activate(None)

    def _advance(self, ctx, row: dict) -> bool:
        """Do a step, or record one that was done; whether there is more to do at once."""
        kind = self.kinds[row["kind"]]
        with self.service.db.reader() as connection:
            job = self._job(connection, ctx, row)
        row = job.row
        if not kind.is_current(job):
            LOG.info("operation %s of instance %s ends: its server is in another attempt or gone", row["kind"], job.uuid)
            self.service.db.transact(self._end, job, lambda connection: kind.superseded(connection, job))
            return False
        try:
            found = self._reported(row["report"]) if row["report"] is not None else self._do(kind, job)
        except errors.Superseded:  # look again at what there is
            self.service.db.transact(operations.put_aside, row, RETRY_S)
            return False
        except errors.ServiceUnavailable as error:
            return self._later(kind, job, error)
        except Exception as error:  # boundary of a step: recorded, and undone
            LOG.warning("operation %s of instance %s: %s %s failed: %s", row["kind"], job.uuid, row["phase"], row["step"], error,
                        exc_info=not isinstance(error, errors.Error))
            return self._failed(kind, job, error)
        if isinstance(found, Wait):
            return not self.service.db.transact(operations.wait, row, RESEND_S)
        self._inject(row, "end")
        more = self.service.db.transact(self._done, kind, job, found or {})
        self._inject(row, "recorded")
        if more is None and kind.notifications:
            forward = row["phase"] == FORWARD
            self.service.notify(ctx, kind.notifications[0 if forward else 1], job.uuid, error=not forward)
        return bool(more)

    def _job(self, connection, ctx, row: dict) -> Job:
        """The step that an operation is at. Until it has left its first one, its row names none."""
        row = {**row, "step": row["step"] or self.kinds[row["kind"]].steps[0]}
        return Job(self.service, ctx, row, instances.states_of(connection, row["instance_uuid"]))

    @staticmethod
    def _inject(row: dict, moment: str) -> None:
        if INJECT:
            INJECT(row["kind"], row["phase"], row["step"], moment)

    @staticmethod
    def _reported(report: dict) -> dict:
        """What an agent's report says. :raises Error: it could not do the step"""
        if report.get("again"):
            raise errors.ServiceUnavailable(report["error"])
        if report.get("error"):
            raise errors.StepFailed(reason=report["error"])
        return report["result"] or {}

    def _do(self, kind: Operation, job: Job) -> dict | Wait | None:
        self._inject(job.row, "begin")
        work = getattr(kind, job.method, None)
        return work(job) if work else None

    def _later(self, kind: Operation, job: Job, error: errors.ServiceUnavailable) -> bool:
        """A part is away: again after a while, or give up."""
        row, waited_s = job.row, (db.now() - job.row["step_at"]).total_seconds()
        if row["phase"] == FORWARD and row["step"] in kind.undoable and waited_s > PATIENCE_S:
            return self._failed(kind, job, errors.StepFailed(reason=str(error)))
        LOG.info("operation %s of instance %s waits at %s %s: %s", row["kind"], job.uuid, row["phase"], row["step"], error)
        self.service.db.transact(operations.put_aside, row, min(RETRY_MOST_S, RETRY_S + waited_s / 4))
        return False

    def _failed(self, kind: Operation, job: Job, error: Exception) -> bool:
        row = job.row
        if row["phase"] == UNDO or row["step"] not in kind.undoable:
            LOG.error("operation %s of instance %s cannot do %s %s and tries again: %s", row["kind"], job.uuid, row["phase"],
                      row["step"], error)
            self.service.db.transact(operations.put_aside, row, RETRY_MOST_S)
            return False
        metrics.TASKS.labels(row["kind"], "failed").inc()
        return self.service.db.transact(self._turn_back, job, _reason(error))

    def _turn_back(self, connection, job: Job, reason: str) -> bool:
        """The step may have done half of its work: its undo comes first."""
        row = job.row
        if operations.move(connection, row, step=row["step"], phase=UNDO, data=row["data"], error=reason):
            self._event(connection, job, reason)
        return True

    def _done(self, connection, kind: Operation, job: Job, found: dict) -> bool | None:
        """Record the end of a step, and go to the next, or to the one before; None: it was the last, and the operation ended."""
        row, data = job.row, {**job.data, **found}
        forward = row["phase"] == FORWARD
        index = kind.steps.index(row["step"]) + (1 if forward else -1)
        if kind.of_attempt and not instances.lock_attempt(connection, job.uuid, row["attempt"]):
            return True  # it began another while the step was done: nothing of this one is written
        job = dataclasses.replace(job, row={**row, "data": data})
        record = getattr(kind, f"record_{job.method}", None)
        if 0 <= index < len(kind.steps):
            if operations.move(connection, row, step=kind.steps[index], phase=row["phase"], data=data, error=row["error"]):
                self._event(connection, job, None)
                if record:
                    record(connection, job)
            return True

        def end(connection):
            if record:
                record(connection, job)
            if forward:
                kind.finished(connection, job)
            else:
                kind.failed(connection, job, row["error"])
        if not self._end(connection, job, end):
            return False
        if forward:
            metrics.TASKS.labels(row["kind"], "done").inc()
        return None

    def _end(self, connection, job: Job, work) -> bool:
        """False: another drives it by now, nothing was written."""
        ended = operations.end(connection, job.row)
        if ended:
            self._event(connection, job, None)
            work(connection)
        return ended

    @staticmethod
    def _event(connection, job: Job, error: str | None) -> None:
        """The step as an event of the server's action."""
        row = job.row
        actions.events(connection, row["request_id"], job.uuid, [{
            "event": f"{row['kind']}_{job.method}", "host": (row["report"] or {}).get("host"), "start": db.epoch(row["step_at"]),
            "finish": db.epoch(db.now()), "result": "Error" if error else "Success", "details": error}])

    # what agents ask and report

    def begin_step(self, operation_id: str, number: int) -> dict | None:
        """What a host is to do: {"uuid", "step": a method of ``HostSteps``, "attempt", "data", "columns": of the server's row,
        those that it has there}; None: that number is past."""
        with self.service.db.reader() as connection:
            row = operations.get(connection, operation_id)
            if row is None or row["number"] != number or row["report"] is not None:
                return None
            job = self._job(connection, context.service_context(), row)
        kind = self.kinds[row["kind"]]
        if not kind.is_current(job):
            return None
        return {"uuid": job.uuid, "step": kind.host_steps[job.method], "attempt": row["attempt"], "data": job.data,
                "columns": job.data.get(kind.columns.get(job.method, ""), {})}

    def end_step(self, operation_id: str, number: int, report: dict) -> bool:
        done = self.service.db.transact(operations.report, operation_id, number, report)
        if done:
            self.wake(operation_id)
        return done


def _reason(error: Exception) -> str:
    return str(error) if isinstance(error, errors.Error) else "An unexpected error happened in the conductor."


class Drive(periodic.Periodic):
    """Take up operations that nobody drives: begun while no conductor listened, waiting, or of a conductor that died.

    Where there are none it looks less often: a conductor is told of each that begins.
    """

    BUSY_S, IDLE_S = 1.0, 5.0
    interval_s, jitter_s = IDLE_S, 0.5

    def __init__(self, engine: Engine):
        self.engine = engine

    def run_once(self) -> None:
        with self.engine.service.db.reader() as connection:
            busy = operations.exist(connection)
            found = operations.due(connection, 50) if busy else []
        self.interval_s = self.BUSY_S if busy else self.IDLE_S
        for operation_id in found:
            self.engine.wake(operation_id)
