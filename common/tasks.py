"""Tasks: long work as an ordered list of named steps, each with an undo, journalled before the next begins.

A task class reads as a table of contents::

    class Attach(Task):
        name, on_crash = "attach", "undo"
        steps = ("connect", "plug", "record")
        def connect(self, state): ...      # returns JSON to merge into the state, or None
        def undo_connect(self, state): ...

The journal is one JSON file a task under ``<state_path>/tasks``; it is written, by rename and to the disk, before a step runs, so
that it survives ``kill -9`` and a power cut. After a crash the engine finds it and, as ``on_crash`` says, undoes what was begun
("undo"), runs on from the step that was interrupted ("resume"), or runs all steps again ("restart": for steps whose effect a
restart of the host may have reversed; such a task is also run again later if a service did not respond). So a step may run twice,
and an undo may meet a step that never ran: steps and undos are idempotent.

A record that a crash left may be out of date: its server may have been built elsewhere, or deleted. So each record is read anew
when its turn comes, and the task asks its service (``still_current``) whether the work is still its own before anything is
finished or undone. New work with the same id waits for that too.
"""

import concurrent.futures
import contextlib
import json
import logging
import os
import pathlib
import re
import threading
import time
import typing

from common import context, errors, metrics, periodic
from common.messages import shape

LOG = logging.getLogger(__name__)
# Tests set this to a callable (task, step, phase); phase is "execute", "executed" or "undo". It may raise or exit; a
# BaseException ends the task like ``kill -9``, without an undo.
INJECT = None
RECOVER_AT_ONCE = 4
_UUID = "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_KEY = re.compile(f"(?P<name>.+?)-(?P<id>{_UUID}(-{_UUID})?)")  # names may contain hyphens


class Task:
    """A kind of long work. Subclasses define ``name``, ``steps``, ``on_crash`` and a method per step."""

    name = ""
    steps: tuple[str, ...] = ()
    on_crash = "undo"
    shapes: dict[str, typing.Any] = {}  # {key of the state: declared type} of RPC messages: see ``Engine._upgrade_state``
    retry_s = 20.0  # seconds for which a step that fails for a part being away is tried again

    def started(self, step: str, state: dict) -> None:
        """Called before each step; report progress here."""

    def before_retry(self, step: str, state: dict) -> None:
        """Called before a step is tried again for a part that is away. It may raise, as where nobody needs the work any more."""

    def failed(self, step: str, error: Exception, state: dict) -> None:
        """Called after all undos, with the error of the failed step."""

    def done(self, state: dict) -> None:
        """Called after the last step. If it raises, the record is kept and ``done`` is called again later."""

    def exclusive(self, state: dict) -> typing.ContextManager:
        """The lock to hold while a leftover is recovered; the caller of ``Engine.run`` holds it already."""
        return contextlib.nullcontext()

    def still_current(self, state: dict) -> bool:
        """Called before a leftover is finished or undone: whether it is still this task's work, by what the service's
        database says now. It may bring the state up to date."""
        return True

    def discard(self, state: dict) -> None:
        """Called in place of the undos where ``still_current`` said no: remove what is certainly nobody else's."""

    def record_unreadable(self, task_id: str) -> bool:
        """Called where a task's record cannot be read: settle what it may have begun, by what the service's database says now.

        It acquires the task's lock itself.

        :returns: False: not possible yet; the audit shows the record until it is settled or removed by an operator
        """
        return False


class Journal:
    """Journal records as files: {"task", "id", "state", "done": [steps], "phase", "step", "context"}."""

    SHAPE = {"task": str, "id": str, "state": dict, "done": list, "phase": str, "step": str}

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        # 0700: a record may contain the secret of an iSCSI session.
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)

    def _path(self, key: str) -> pathlib.Path:
        return self.directory / f"{key}.json"

    def write(self, record: dict) -> None:
        path = self._path(key_of(record))
        partial, new = path.with_suffix(".tmp"), not path.exists()
        with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as out:
            json.dump(record, out)
            out.flush()
            os.fdatasync(out.fileno())
        os.replace(partial, path)
        if new:  # after a power cut, an older version of a record may reappear, but a record must not be lost
            handle = os.open(self.directory, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)

    def remove(self, record: dict) -> None:
        self._path(key_of(record)).unlink(missing_ok=True)

    def keys(self) -> list[str]:
        return sorted(p.stem for p in self.directory.glob("*.json"))

    def read(self, key: str) -> dict | None:
        """The current record, or None. An unreadable one is renamed to ``<key>.broken``: see ``Task.record_unreadable``."""
        path = self._path(key)
        try:
            record = json.loads(path.read_bytes())
            if not isinstance(record, dict):
                raise ValueError("it is not an object")
            wrong = [name for name, kind in self.SHAPE.items() if not isinstance(record.get(name), kind)]
            if wrong or key_of(record) != key:
                raise ValueError(f"wrong or missing: {', '.join(wrong) or 'task, id'}")
            return record
        except FileNotFoundError:
            return None
        except ValueError as error:  # JSON and UTF-8 errors are ValueErrors
            self.set_aside(key, str(error))
            return None

    def set_aside(self, key: str, reason: str) -> None:
        """Rename an unreadable record so that it does not block others: see ``Task.record_unreadable``."""
        LOG.error("the journal of task %s cannot be read and is renamed to .broken: %s", key, reason)
        os.replace(self._path(key), self._path(key).with_suffix(".broken"))

    def inventory(self) -> dict:
        """{"unfinished": {key: seconds since its last step began}, "broken": [keys]}"""
        unfinished = {}
        for path in self.directory.glob("*.json"):
            with contextlib.suppress(FileNotFoundError):  # it ended in the meantime
                unfinished[path.stem] = time.time() - path.stat().st_mtime
        return {"unfinished": unfinished, "broken": self.broken()}

    def broken(self) -> list[str]:
        """The keys of unreadable records."""
        return sorted(p.stem for p in self.directory.glob("*.broken"))

    def remove_broken(self, key: str) -> None:
        self._path(key).with_suffix(".broken").unlink(missing_ok=True)

    def records(self) -> list[dict]:
        return [record for record in map(self.read, self.keys()) if record is not None]


def key_of(record: dict) -> str:
    return f"{record['task']}-{record['id']}"


class Engine:
    """Runs tasks, and recovers those of a former process."""

    def __init__(self, journal: Journal):
        self.journal = journal
        self._running: set[str] = set()
        self._lock = threading.Lock()

    def running(self) -> int:
        with self._lock:
            return len(self._running)

    @contextlib.contextmanager
    def _claim(self, key: str):
        """Yields whether the caller has claimed the key, until the block ends."""
        with self._lock:
            free = key not in self._running
            self._running.add(key)
        try:
            yield free
        finally:
            if free:
                with self._lock:
                    self._running.discard(key)

    def run(self, task: Task, task_id: str, state: dict) -> dict:
        """Run all steps, or undo those that ran.

        Where a crash left a record of this id, that one is finished or undone and nothing else is done: who asked asks again as
        long as there is something to do.

        :param task_id: an id never runs twice at the same time; a repeated message returns immediately
        :returns: the final state
        :raises errors.Error: of the failed step, after the undos
        """
        ctx = context.active()
        record: dict = {"task": task.name, "id": task_id, "state": state, "done": [], "phase": "execute",
                  "context": ctx.as_dict() if ctx else None}
        key = key_of(record)
        with self._claim(key) as free:
            if not free:
                LOG.info("task %s is already running; the repeated request is ignored", key)
                return state
            left = self.journal.read(key)
            if left is not None and self._upgrade_state(task, left):
                self._settle(task, left)
                return left["state"]
            return self._forward(task, record)

    def leftover(self, name: str, task_id: str) -> bool:
        """Whether the journal has a record of this task."""
        return self.journal.read(f"{name}-{task_id}") is not None

    def _forward(self, task: Task, record: dict) -> dict:
        for step in task.steps[len(record["done"]):]:
            record["step"] = step
            try:
                self._begin(record)
                self._execute(task, step, record["state"])
            except Exception as error:  # step boundary: the failure is recorded, undone and reported
                LOG.warning("task %s %s: step %s failed: %s", task.name, record["id"], step, error,
                            exc_info=not isinstance(error, errors.Error))
                if task.on_crash == "restart" and isinstance(error, errors.ServiceUnavailable):
                    raise  # the record stays, and the task is recovered later
                record["phase"] = "undo"
                record["error"] = str(error) if isinstance(error, errors.Error) else "An unexpected error happened on the host."
                record["unavailable"] = isinstance(error, errors.ServiceUnavailable)
                record["done"].append(step)  # it may have done half of its work
                self._journal_progress(record)
                self._undo(task, record, error)
                metrics.TASKS.labels(task.name, "failed").inc()
                raise
            record["done"].append(step)
        if task.on_crash == "undo":  # the task has succeeded and will not be undone
            record["phase"] = "finished"
            self._journal_progress(record)
        try:
            task.done(record["state"])
        except errors.Superseded as error:
            record["phase"], record["error"] = "undo", str(error)
            self._undo(task, record, error)
            raise
        self.journal.remove(record)
        metrics.TASKS.labels(task.name, "done").inc()
        return record["state"]

    def _execute(self, task: Task, step: str, state: dict) -> None:
        deadline = time.monotonic() + task.retry_s
        delay, tried = 0.2, False
        task.started(step, state)
        while True:
            try:
                if INJECT:
                    INJECT(task, step, "execute")
                state.update(getattr(task, step)(state) or {})
                if INJECT:
                    INJECT(task, step, "executed")
                return
            except errors.ServiceUnavailable as error:
                # Retried at least once, even if the first attempt used all the time: the service may have been restarted.
                if time.monotonic() + delay > deadline and (tried or not task.retry_s):
                    raise
                tried = True
                LOG.info("task %s: step %s is waiting for a service: %s", task.name, step, error)
                time.sleep(delay)
                delay = min(delay * 2, 3)
                task.before_retry(step, state)

    def _undo(self, task: Task, record: dict, error: Exception) -> None:
        """Undo the executed steps and then report ``error``; discard the task if it is no longer current.

        The report comes last, because it may cause the work to be given to another host, which a later undo would disturb.

        :raises errors.Error: the service cannot be asked; the record is kept and recovered later
        """
        if not task.still_current(record["state"]):
            LOG.warning("task %s, unfinished at step %s, no longer belongs to this service", key_of(record), record["step"])
            task.discard(record["state"])
        elif self._backward(task, record):
            task.failed(record["step"], error, record["state"])
        else:
            return
        self.journal.remove(record)

    def _backward(self, task: Task, record: dict) -> bool:
        """Undo in reverse order; True if all undos succeeded. Failed ones stay in the journal for ``recover``."""
        while record["done"]:
            step = record["done"][-1]
            undo = getattr(task, f"undo_{step}", None)
            if undo is not None:
                try:
                    if INJECT:
                        INJECT(task, step, "undo")
                    undo(record["state"])
                except Exception as error:  # step boundary: kept in the journal and retried by recover()
                    LOG.error("task %s %s: undo of step %s failed and will be retried: %s",
                              task.name, record["id"], step, error)
                    self._journal_progress(record)
                    return False
            record["done"].pop()
            self._journal_progress(record)
        return True

    def _begin(self, record: dict) -> None:
        """:raises StepFailed: the journal cannot be written, so the step is not executed"""
        try:
            self.journal.write(record)
        except OSError as error:
            raise errors.StepFailed(reason="The host has no space left.", internal=str(error)) from error

    def _journal_progress(self, record: dict) -> None:
        """Note what has been done, where that can be: the record before, which a crash would leave, has it done again."""
        try:
            self.journal.write(record)
        except OSError as error:
            LOG.error("the journal of task %s cannot be written: %s", key_of(record), error)

    def recover(self, make_task) -> int:
        """Recover all journalled tasks that are not running, several at a time.

        :param make_task: name -> Task
        :returns: the number of records
        """
        keys = self.pending()
        if not keys:
            return 0
        with concurrent.futures.ThreadPoolExecutor(RECOVER_AT_ONCE, thread_name_prefix="recover") as pool:
            return sum(pool.map(lambda key: self.recover_one(key, make_task), keys))

    def pending(self) -> list[str]:
        """The keys of all records, including unreadable ones."""
        return sorted({*self.journal.keys(), *self.journal.broken()})

    def recover_one(self, key: str, make_task) -> bool:
        """Recover one task; returns whether there was something to do."""
        try:
            return self._leftover(key, make_task, lambda task, state: task.exclusive(state))
        finally:
            context.activate(None)

    def settle(self, make_task, concerned: typing.Callable[[typing.Any, dict], bool]) -> None:
        """As ``recover``, for the leftovers for which ``concerned(task, state)``; the caller holds their lock."""
        active = context.active()
        for record in self.journal.records():
            if self._concerns(make_task, concerned, record):
                try:
                    self._leftover(key_of(record), make_task, lambda task, state: contextlib.nullcontext())
                finally:
                    context.activate(active)

    def is_settled(self, make_task, concerned: typing.Callable[[typing.Any, dict], bool]) -> bool:
        """Whether there are no leftovers for which ``concerned(task, state)``; the caller holds their lock."""
        return not any(self._concerns(make_task, concerned, record) for record in self.journal.records())

    def _concerns(self, make_task, concerned, record: dict) -> bool:
        try:
            task = make_task(record["task"])
            return self._upgrade_state(task, record) and concerned(task, record["state"])
        except Exception as error:  # loop boundary: a record that nobody understands must not stop all other work
            LOG.error("task %s is none that this release knows: %s %s", key_of(record), type(error).__name__, error)
            return False

    def _leftover(self, key: str, make_task, hold) -> bool:
        """Recover a record that is not running. ``hold``: (task, state) -> the lock to hold."""
        with self._claim(key) as free:
            if not free:
                return False  # recovered since the list was made
            record = self.journal.read(key)
            try:
                task = make_task(record["task"]) if record is not None else None
                if record is None or task is None or not self._upgrade_state(task, record):
                    return self._lost(key, make_task)
                with hold(task, record["state"]):
                    self._settle(task, record)
            except Exception as error:  # loop boundary: other records must not wait for this one
                LOG.error("task %s could not be recovered yet: %s", key, error)
            return True

    def _upgrade_state(self, task: Task, record: dict) -> bool:
        """Give a record, which an older release may have written, the fields that its messages have now; False: it has others,
        and is set aside."""
        state = record["state"]
        try:
            state.update({name: shape(kind).read(state[name]) for name, kind in task.shapes.items() if name in state})
        except errors.InvalidMessage as error:
            self.journal.set_aside(key_of(record), str(error.internal))
            return False
        return True

    def _lost(self, key: str, make_task) -> bool:
        """Settle a task whose record is unreadable; False: there is no such record, or it cannot be settled."""
        found = _KEY.fullmatch(key) if key in self.journal.broken() else None
        if found is None or not make_task(found["name"]).record_unreadable(found["id"]):
            return False
        LOG.warning("task %s, whose journal could not be read, is settled", key)
        self.journal.remove_broken(key)
        return True

    def _settle(self, task: Task, record: dict) -> None:
        """Finish or undo a leftover of a crash or a failed undo.

        :raises errors.Error: not possible now; the record is kept
        """
        if record.get("context"):
            context.activate(context.Context.from_dict(record["context"]))
        resume = record["phase"] == "finished" or record["phase"] == "execute" and task.on_crash in ("resume", "restart")
        LOG.info("recovering task %s at step %s: %s", key_of(record), record["step"], "resume" if resume else "undo")
        if resume and task.still_current(record["state"]):
            if task.on_crash == "restart":
                record["done"] = []
            self._forward(task, record)
            return
        if record["phase"] != "undo":
            record["done"].append(record["step"])
            record.update(phase="undo", error="The service was restarted while this was under way.")
        # Also when it is reported late, a task may treat a part that was away unlike other failures.
        unavailable = record.get("unavailable", False)  # journals of the release before do not say
        self._undo(task, record, errors.ServiceUnavailable(record["error"]) if unavailable else
                   errors.StepFailed(reason=record["error"]))


class Recovery(periodic.Periodic):
    """Recovers leftovers at start, and every minute those that could not be recovered."""

    interval_s = 60.0

    def __init__(self, engine: Engine, make_task):
        self.engine, self.make_task = engine, make_task

    def run_once(self) -> None:
        self.engine.recover(self.make_task)
