"""Operations that involve several hosts: sequences of steps, journalled in the database.

A subclass reads like a table of contents::

    class Migrate(Operation):
        kind = "migrate"
        steps = ("claim", "stop", "copy", ...)
        def claim(self, job): ...        # returns JSON to merge into the operation's data, or None
        def undo_claim(self, job): ...
        def record_claim(self, connection, job): ...

The conductor executes a step itself, or requests it from an agent: then the method asks the agent (``job.ask``) and returns WAIT,
and the agent's report continues the operation. ``record_<step>`` and ``record_undo_<step>`` write in the transaction that records
the step's end. Two conductors may execute a step at the same time, so steps are idempotent; only one of them records it.

Any conductor may run an operation without a valid lease. The lease of a conductor that died expires after LEASE_S; one that lost
its lease may repeat a step, but cannot record anything. Reports carry the number of their step, and agents check it before they
begin, so late messages change nothing.

A failing step is retried while a service is unavailable, for a limited time; then the executed steps are undone in reverse order.
Steps that are not ``undoable``, and undos, are retried until they succeed. If the server is in another attempt (it is being
deleted, or an operator has reset its state), the operation ends immediately.
"""

import dataclasses
import logging
import threading
import typing

from common import context, db, errors, metrics, periodic
from common.workers import Workers
from conductor.db import actions, instances, operations
from conductor.db.operations import FORWARD, UNDO
from conductor.operations.operation import Job, Operation, Wait

LOG = logging.getLogger(__name__)
LEASE_S = 30.0
RESEND_S = 8.0  # after which a silent agent is asked again; one that is still working ignores the repeat
RETRY_S, MAX_RETRY_S = 1.0, 15.0
UNDO_AFTER_S = 300.0  # for which an undoable step waits for an unavailable service before the operation is undone
AT_ONCE = 8
# Tests set this to a callable (kind, phase, step, moment); moment is "begin", "end" (the step has been executed) or "recorded". A
# BaseException from it simulates the death of the conductor.
INJECT: typing.Callable[[str, str, str, str], object] | None = None


class Engine:
    """Runs operations.

    :param service: the conductor: ``db``, ``agents``, ``rest``, ``scheduler``, ``conf``
    :param kinds: all kinds of operations
    """

    def __init__(self, service, kinds: typing.Iterable[Operation]):
        self.service = service
        self.kinds = {k.kind: k for k in kinds}
        self.workers = Workers("operations", {"operations": AT_ONCE})

    def wake(self, operation_id: str) -> None:
        """Run it soon, in another thread."""
        self.workers.put(None, operation_id, ("run",), lambda: self.run(operation_id), lane="operations")

    def run(self, operation_id: str) -> None:
        """Acquire the lease, unless another thread or conductor has it, and run steps until one has to wait."""
        holder = f"{self.service.conf.host}-{threading.get_ident():x}-{context.new_uuid()[:8]}"[:64]
        while True:
            row, server = self.service.db.transact(operations.acquire, operation_id, holder, LEASE_S)
            if row is None:
                return
            ctx = _context(row)
            context.activate(ctx)
            try:
                more: Job | bool = Job(self.service, ctx, self._at_step(row), server)
                while isinstance(more, Job):
                    more = self._advance(more)
                if not more:
                    return
            finally:
                context.activate(None)

    def _advance(self, job: Job) -> "Job | bool":
        """Execute a step, or record one that was reported.

        :returns: the next step, to be executed immediately; True: read the operation again; False: it waits, or has ended
        """
        row = job.row
        kind = self.kinds[row["kind"]]
        if not kind.is_current(job):
            LOG.info("operation %s of instance %s ends: its server is in another attempt or gone", row["kind"], job.uuid)
            self.service.db.transact(self._end, job, lambda connection: kind.superseded(connection, job))
            return False
        try:
            found = self._reported(row["report"]) if row["report"] is not None else self._do(kind, job)
        except errors.Superseded:  # read the current state again
            self.service.db.transact(operations.retry_later, row, RETRY_S)
            return False
        except errors.ServiceUnavailable as error:
            return self._later(kind, job, error)
        except Exception as error:  # boundary of a step: the failure is recorded, and undone
            LOG.warning("operation %s of instance %s: %s %s failed: %s", row["kind"], job.uuid, row["phase"], row["step"], error,
                        exc_info=not isinstance(error, errors.Error))
            return self._failed(kind, job, error)
        if isinstance(found, Wait):
            return job.held and not self.service.db.transact(operations.wait, row, RESEND_S)
        self._inject(row, "end")
        more = self.service.db.transact(self._done, kind, job, found or {})
        self._inject(row, "recorded")
        self._tell(kind, job, more)
        return more or False

    def _tell(self, kind: Operation, job: Job, more: "Job | bool | None") -> None:
        """After ``_done``: begin what the end of the operation has made possible, and notify others of it."""
        if not more and kind.followed:
            self._wake_others(job.uuid)
        if more is None and kind.notifications:
            forward = job.row["phase"] == FORWARD
            self.service.notify(job.ctx, kind.notifications[0 if forward else 1], job.uuid, error=not forward,
                                project=(job.instance or {}).get("project_id"))

    def _at_step(self, row: dict) -> dict:
        """The row of a new operation names no step."""
        return {**row, "step": row["step"] or self.kinds[row["kind"]].steps[0]}

    @staticmethod
    def _inject(row: dict, moment: str) -> None:
        if INJECT:
            INJECT(row["kind"], row["phase"], row["step"], moment)

    @staticmethod
    def _reported(report: dict) -> dict:
        """The result in an agent's report. :raises Error: the agent could not execute the step"""
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
        """A service or host is unavailable: retry later, or give up."""
        row, waited_s = job.row, (db.now() - job.row["step_at"]).total_seconds()
        if row["phase"] == FORWARD and row["step"] in set(kind.undoable) - set(kind.patient) and waited_s > UNDO_AFTER_S:
            return self._failed(kind, job, errors.StepFailed(reason=str(error)))
        LOG.info("operation %s of instance %s waits at %s %s: %s", row["kind"], job.uuid, row["phase"], row["step"], error)
        self.service.db.transact(operations.retry_later, row, min(MAX_RETRY_S, RETRY_S + waited_s / 4))
        return False

    def _failed(self, kind: Operation, job: Job, error: Exception) -> bool:
        row = job.row
        if row["phase"] == UNDO or row["step"] not in kind.undoable:
            LOG.error("operation %s of instance %s cannot do %s %s and tries again: %s", row["kind"], job.uuid, row["phase"],
                      row["step"], error)
            self.service.db.transact(operations.retry_later, row, MAX_RETRY_S)
            return False
        metrics.TASKS.labels(row["kind"], "failed").inc()
        return self.service.db.transact(self._begin_undo, job, _reason(error))

    def _begin_undo(self, connection, job: Job, reason: str) -> bool:
        """Undo from the current step, which may have been executed in part."""
        row = job.row
        if operations.advance(connection, row, step=row["step"], phase=UNDO, data=row["data"], error=reason, lease_s=LEASE_S):
            self._events(connection, [job], reason)
        return True

    def _done(self, connection, kind: Operation, job: Job, found: dict) -> "Job | bool | None":
        """Record the end of a step and go to the next, or to the previous one in an undo. None: it was the last; the operation
        has ended. Otherwise as ``_advance``."""
        if kind.of_attempt:
            server = instances.lock_attempt(connection, job.uuid, job.row["attempt"], whole=bool(kind.told))
            if server is None:
                return self._superseded(connection, kind, job)
            job = dataclasses.replace(job, instance=server)
        return self._recorded(connection, kind, job, found)

    def _recorded(self, connection, kind: Operation, job: Job, found: dict) -> "Job | bool | None":
        """As ``_done``, of a server that is locked in its attempt."""
        row, data = job.row, {**job.data, **found}
        forward = row["phase"] == FORWARD
        job = dataclasses.replace(job, row={**row, "data": data})
        index, ended = self._next(kind, job), [job]
        while forward and index < len(kind.steps) and kind.steps[index] in kind.idle:
            ended.append(dataclasses.replace(job, row={
                **job.row, "step": kind.steps[index], "report": None, "step_at": db.now()}))
            index = self._next(kind, ended[-1])
        if 0 <= index < len(kind.steps):
            step = kind.steps[index]
            asks = dataclasses.replace(job, row={**row, "step": step}).method in kind.host_steps
            now = operations.advance(connection, row, step=step, phase=row["phase"], data=data, error=row["error"],
                                     lease_s=LEASE_S, wait_s=RESEND_S if asks else None if job.held else 0)
            if now is None:
                return True
            self._events(connection, ended)
            self._record(connection, kind, ended)
            following = dataclasses.replace(job, row=now, held=job.held and not asks)
            if forward and step in kind.told and job.instance and "uuid" in job.instance:
                following.work = self._work(dataclasses.replace(
                    following, instance=_with_devices(connection, now, job.instance)))
            return following if asks or job.held else True

        def end(connection):
            self._events(connection, ended[1:])
            self._record(connection, kind, ended)
            if forward:
                kind.finished(connection, job)
            else:
                kind.failed(connection, job, row["error"])
        if not self._end(connection, job, end):
            return False
        if forward:
            metrics.TASKS.labels(row["kind"], "done").inc()
        return None

    @staticmethod
    def _record(connection, kind: Operation, ended: list[Job]) -> None:
        for job in ended:
            record = getattr(kind, f"record_{job.method}", None)
            if record:
                record(connection, job)

    @staticmethod
    def _next(kind: Operation, job: Job) -> int:
        """The index of the next step that has something to do."""
        way = 1 if job.row["phase"] == FORWARD else -1
        index = kind.steps.index(job.row["step"]) + way
        while 0 <= index < len(kind.steps) and kind.skips(job, kind.steps[index]):
            index += way
        return index

    def _wake_others(self, uuid: str) -> None:
        with self.service.db.reader() as connection:
            found = operations.of_server(connection, uuid)
        for each in found:
            self.wake(each["id"])

    def _superseded(self, connection, kind: Operation, job: Job) -> bool:
        """End the operation: the server began another attempt while the step was executed, of which nothing is recorded."""
        job = dataclasses.replace(job, instance=instances.states_of(connection, job.uuid))
        self._end(connection, job, lambda connection: kind.superseded(connection, job))
        return False

    def _end(self, connection, job: Job, work) -> bool:
        """False: another conductor has the lease by now; nothing was written."""
        ended = operations.end(connection, job.row)
        if ended:
            self._events(connection, [job])
            work(connection)
        return ended

    @staticmethod
    def _events(connection, steps: list[Job], error: str | None = None) -> None:
        """Record steps of one operation as events of the server's action."""
        if steps:
            row = steps[0].row
            actions.events(connection, row["request_id"], row["instance_uuid"], [{
                "event": f"{row['kind']}_{job.method}", "host": (job.row["report"] or {}).get("host"),
                "start": db.epoch(job.row["step_at"]), "finish": db.epoch(db.now()), "result": "Error" if error else "Success",
                "details": error} for job in steps])

    # RPC

    def begin_step(self, operation_id: str, number: int) -> dict | None:
        """What a host is to do, as ``OperationStep``; None: the number is outdated."""
        with self.service.db.reader() as connection:
            row, instance = operations.get_with_server(connection, operation_id, list(instances.TABLE.c))
            if row is None or not self._is_wanted(row, number):
                return None
            if instance:
                instance = _with_devices(connection, row, instance)
        job = Job(self.service, context.service_context(), self._at_step(row), instance)
        return self._work(job) if self.kinds[row["kind"]].is_current(job) else None

    def _work(self, job: Job) -> dict:
        """:param job: with the whole server"""
        kind = self.kinds[job.row["kind"]]
        columns = job.data.get(kind.columns.get(job.method, ""), {})
        return {"uuid": job.uuid, "step": kind.host_step(job), "attempt": job.row["attempt"], "data": job.data,
                "instance": {**job.instance, **columns} if job.instance else None, "number": job.row["number"],
                "goes_on": job.row["phase"] == FORWARD and kind.goes_on(job)}

    def is_current(self, operation_id: str, number: int) -> bool:
        """Whether a host is still to do the step that it has begun."""
        with self.service.db.reader() as connection:
            row, server = operations.get_with_server(connection, operation_id)
        return row is not None and self._is_wanted(row, number) and self.kinds[row["kind"]].is_current(
            Job(self.service, context.service_context(), row, server))

    @staticmethod
    def _is_wanted(row: dict, number: int) -> bool:
        return row["number"] == number and row["report"] is None

    def end_step(self, operation_id: str, number: int, report: dict) -> bool:
        """False: the number is outdated."""
        return self._end_step(operation_id, number, report)[0]

    def next_step(self, operation_id: str, number: int, report: dict) -> dict | None:
        """As ``end_step``; returns the next step if the same host executes it, as ``begin_step``."""
        return self._end_step(operation_id, number, report, whole=True)[1]

    def _end_step(self, operation_id: str, number: int, report: dict, whole: bool = False) -> tuple[bool, dict | None]:
        """The end of a step that has succeeded is recorded at once, and the next host is requested. All else is left to whoever
        acquires the lease.

        :param whole: return the next step, if it is the same host's
        """
        if INJECT:
            with self.service.db.reader() as connection:
                row = operations.get(connection, operation_id)
            if row and self._is_wanted(row, number):
                self._inject(self._at_step(row), "end")
        found = None
        if not report.get("error"):
            found = self.service.db.transact(self._record_report, operation_id, number, report)
        if found is None:
            done = self.service.db.transact(operations.report, operation_id, number, report)
            if done:
                self.wake(operation_id)
            return done, None
        job, more = found
        self._inject(job.row, "recorded")
        kind = self.kinds[job.row["kind"]]
        self._tell(kind, job, more)
        if whole and isinstance(more, Job) and more.row["phase"] == FORWARD and kind.goes_on(job):
            return True, self._whole_work(more)
        if more is True or isinstance(more, Job) and not self._requested(kind, more):
            self.wake(operation_id)
        return True, None

    def _whole_work(self, job: Job) -> dict:
        """As ``_work``, of a server without its block devices."""
        with self.service.db.reader() as connection:
            return self._work(dataclasses.replace(job, instance=_with_devices(connection, job.row, job.instance or {})))

    def handed_over(self, operation_id: str, number: int, host: str, result: dict | None = None) -> dict | None:
        """Record the end of a step that this host reports for the one that has executed it (``handed_over_by``); returns the next
        step, as ``begin_step``. None: the number is outdated, it is not this host's, or the operation does not go on."""
        try:
            found = self.service.db.transact(self._record_report, operation_id, number, {"result": result}, host)
        except errors.StepFailed as error:
            self.end_step(operation_id, number, {"host": host, "error": str(error)})
            return None
        if found is None:
            return None
        job, more = found
        self._inject(job.row, "recorded")
        self._tell(self.kinds[job.row["kind"]], job, more)
        return (more.work or self._whole_work(more)) if isinstance(more, Job) else None

    def _record_report(self, connection, operation_id: str, number: int, report: dict, host: str | None = None) -> "tuple | None":
        """Record the end of a step; returns (the step, what ``_done`` returns). None: it must be read again, with the lease.

        :param host: one that reports for another
        """
        row, server = operations.get_with_server(connection, operation_id, list(instances.TABLE.c), lock=True)
        if row is None or server is None or not self._is_wanted(row, number) or server["attempt"] != row["attempt"]:
            return None
        kind = self.kinds[row["kind"]]
        if not kind.of_attempt:
            return None
        job = Job(self.service, _context(row), self._at_step({**row, "report": report}), server, held=False)
        if host is not None:
            executed_by = kind.handed_over_by(connection, job, host)
            if executed_by is None:
                return None
            job.row["report"] = {"host": executed_by}
        return job, self._recorded(connection, kind, job, report.get("result") or {})

    def _requested(self, kind: Operation, job: Job) -> bool:
        """Request a step from its host. False: the step has to be executed with the lease, which it may be now."""
        try:
            if isinstance(self._do(kind, job), Wait):
                return True
        except Exception as error:  # boundary of a step: it is executed again
            LOG.info("operation %s of instance %s: %s is executed again: %s", job.row["kind"], job.uuid, job.method, error)
        self.service.db.transact(operations.retry_later, job.row, 0)
        return False


def _with_devices(connection, row: dict, instance: dict) -> dict:
    """A server with its block devices, which are not read if the operation knows that there are none."""
    if row["data"].get("volumes") is False:
        return {**instance, "block_devices": []}
    return instances.add_block_devices(connection, [instance])[0]


def _context(row: dict) -> context.Context:
    return context.service_context(request_id=row["request_id"], project_id=row["project_id"])


def _reason(error: Exception) -> str:
    return str(error) if isinstance(error, errors.Error) else "An unexpected error happened in the conductor."


class OperationRunner(periodic.Periodic):
    """Runs operations that no conductor is running: those that are new, waiting, or abandoned by a conductor that died.

    With none in progress it polls less often, because a new operation wakes its conductor.
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
