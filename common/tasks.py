"""Tasks: long work as an ordered list of named steps, each with an undo, journalled before the next begins.

A task class reads as a table of contents::

    class Attach(Task):
        name, on_crash = "attach", "undo"
        steps = ("connect", "plug", "record")
        def connect(self, state): ...      # returns JSON to merge into the state, or None
        def undo_connect(self, state): ...

The journal is one JSON file a task under ``<state_path>/tasks``; it is
written, by rename, before a step runs. After a crash of the process the engine
finds it and, as ``on_crash`` says, undoes what was begun ("undo") or runs on
from the step that was interrupted ("resume"). Both mean that a step may run
twice, and that an undo may meet a step that never ran: steps and undos are
idempotent. A journal survives ``kill -9``; after a power cut ``pileus audit``
finds what it could have told.
"""

import json
import logging
import os
import pathlib
import threading
import time

from common import context, errors, metrics

LOG = logging.getLogger(__name__)
# Tests set this to a callable (task, step, phase); phase is "execute", "executed" or "undo". It may raise or exit.
INJECT = None


class Killed(BaseException):
    """Raised by tests in place of ``kill -9``: nothing after it runs, not even an undo."""


class Task:
    """One kind of long work. Subclasses state ``name``, ``steps``, ``on_crash`` and one method a step."""

    name = ""
    steps: tuple[str, ...] = ()
    on_crash = "undo"
    retry_s = 20.0  # seconds for which a step that fails for a part being away is tried again

    def started(self, step: str, state: dict) -> None:
        """Called before each step; report progress here."""

    def failed(self, step: str, error: Exception, state: dict) -> None:
        """Called after all undos, with the error of the step that failed."""

    def done(self, state: dict) -> None:
        """Called after the last step."""


class Journal:
    """Task records as files. A record is {"task", "id", "state", "done": [steps], "phase", "context"}."""

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        # 0700: a record may hold the secret of an iSCSI session.
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)

    def write(self, record: dict) -> None:
        path = self.directory / f"{record['task']}-{record['id']}.json"
        partial = path.with_suffix(".tmp")
        partial.write_text(json.dumps(record))
        os.replace(partial, path)

    def remove(self, record: dict) -> None:
        (self.directory / f"{record['task']}-{record['id']}.json").unlink(missing_ok=True)

    def records(self) -> list[dict]:
        return [json.loads(p.read_text()) for p in sorted(self.directory.glob("*.json"))]


class Engine:
    """Run tasks and finish what a dead predecessor left."""

    def __init__(self, journal: Journal):
        self.journal = journal
        self._running: set[str] = set()
        self._lock = threading.Lock()

    def running(self) -> int:
        with self._lock:
            return len(self._running)

    def run(self, task: Task, task_id: str, state: dict) -> dict:
        """Run all steps, or undo those that ran.

        :param task_id: the same id is never run twice at once: a doubled message finds it and returns
        :returns: the final state
        :raises errors.Error: of the step that failed, after its undos
        """
        ctx = context.active()
        record: dict = {"task": task.name, "id": task_id, "state": state, "done": [], "phase": "execute",
                  "context": ctx.as_dict() if ctx else None}
        key = f"{task.name}-{task_id}"
        with self._lock:
            if key in self._running:
                LOG.info("task %s runs already; this message is a repeat", key)
                return state
            self._running.add(key)
        try:
            return self._forward(task, record)
        finally:
            with self._lock:
                self._running.discard(key)

    def _forward(self, task: Task, record: dict) -> dict:
        for step in task.steps[len(record["done"]):]:
            record["step"] = step
            self.journal.write(record)
            try:
                self._execute(task, step, record["state"])
            except Exception as error:  # step boundary: recorded, undone, reported
                LOG.warning("task %s %s: step %s failed: %s", task.name, record["id"], step, error,
                            exc_info=not isinstance(error, errors.Error))
                record["phase"], record["error"] = "undo", str(error)
                record["done"].append(step)  # it may have done half of its work
                self.journal.write(record)
                undone = self._backward(task, record)
                task.failed(step, error, record["state"])
                if undone:
                    self.journal.remove(record)
                metrics.TASKS.labels(task.name, "failed").inc()
                raise
            record["done"].append(step)
        task.done(record["state"])
        self.journal.remove(record)
        metrics.TASKS.labels(task.name, "done").inc()
        return record["state"]

    def _execute(self, task: Task, step: str, state: dict) -> None:
        deadline = time.monotonic() + task.retry_s
        delay = 0.2
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
                if time.monotonic() + delay > deadline:
                    raise
                LOG.info("task %s: step %s waits for a part: %s", task.name, step, error)
                time.sleep(delay)
                delay = min(delay * 2, 3)

    def _backward(self, task: Task, record: dict) -> bool:
        """Undo in reverse; True when all went well. What failed stays in the journal for ``recover``."""
        while record["done"]:
            step = record["done"][-1]
            undo = getattr(task, f"undo_{step}", None)
            if undo is not None:
                try:
                    if INJECT:
                        INJECT(task, step, "undo")
                    undo(record["state"])
                except Exception as error:  # step boundary: kept in the journal, run again by recover()
                    LOG.error("task %s %s: undo of %s failed, will try again: %s",
                              task.name, record["id"], step, error)
                    self.journal.write(record)
                    return False
            record["done"].pop()
            self.journal.write(record)
        return True

    def recover(self, make_task) -> int:
        """Finish every journalled task that nobody runs.

        :param make_task: name -> Task
        :returns: how many records were worked on
        """
        count = 0
        for record in self.journal.records():
            key = f"{record['task']}-{record['id']}"
            with self._lock:
                if key in self._running:
                    continue
                self._running.add(key)
            try:
                count += 1
                self._recover_one(make_task(record["task"]), record)
            except Exception as error:  # loop boundary: other records must not wait for this one
                LOG.error("task %s could not be recovered yet: %s", key, error)
            finally:
                with self._lock:
                    self._running.discard(key)
        return count

    def _recover_one(self, task: Task, record: dict) -> None:
        if record["context"]:
            context.activate(context.Context.from_dict(record["context"]))
        step = record.get("step") or task.steps[0]
        LOG.info("recovering task %s %s at step %s: %s", record["task"], record["id"], step,
                 task.on_crash if record["phase"] == "execute" else "undo")
        if record["phase"] == "execute" and task.on_crash == "resume":
            self._forward(task, record)
            return
        if record["phase"] == "execute":
            record["done"].append(step)
            record["phase"] = "undo"
            record["error"] = "The service was restarted while this was under way."
        if self._backward(task, record):
            task.failed(step, errors.StepFailed(reason=record["error"]), record["state"])
            self.journal.remove(record)
