"""The fake cloud with a saboteur: before each step of each task it reads ``<state>/inject.json``.

{"task", "step", "mode"}: mode ``fail`` makes the step fail, ``twice`` runs it
again after it succeeded, ``kill`` ends the whole process at once, as kill -9
would, after the step did its work.
"""

from deploy import local  # isort: skip  (patches eventlet first)

import json
import os
import pathlib
import sys

from common import errors, tasks


def saboteur(state: pathlib.Path):
    plan = state / "inject.json"

    def inject(task, step, phase):
        try:
            wanted = json.loads(plan.read_text())
        except FileNotFoundError:
            return
        if (wanted["task"], wanted["step"]) != (task.name, step):
            return
        if wanted["mode"] == "fail" and phase == "execute":
            plan.unlink()
            raise errors.StepFailed(reason="sabotage")
        if wanted["mode"] == "twice" and phase == "executed":
            plan.unlink()
            task_state = inject.states[id(task)]
            task_state.update(getattr(task, step)(task_state) or {})
        if wanted["mode"] == "kill" and phase == "executed":
            plan.unlink()
            os._exit(9)
    inject.states = {}  # of each task at work: one may start others
    return inject


def main() -> int:
    state = pathlib.Path(sys.argv[sys.argv.index("--state") + 1])
    tasks.INJECT = saboteur(state)
    original = tasks.Engine._execute

    def execute(self, task, step, task_state):
        tasks.INJECT.states[id(task)] = task_state
        return original(self, task, step, task_state)
    tasks.Engine._execute = execute
    return local.main()


if __name__ == "__main__":
    sys.exit(main())
