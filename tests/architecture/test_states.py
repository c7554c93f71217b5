"""The states of servers have one home, ``common/server_states.py``, and one writer, ``conductor/db``."""

import ast

from common import server_states
from tests.architecture.test_imports import ROOT, modules

PACKAGES = ("compute_api", "conductor", "scheduler", "compute_agent")
# Those that are names of actions too may be said by that name.
TASKS = {a.task_state for a in server_states.ACTIONS.values()} - set(server_states.ACTIONS)


def _nodes(*packages: str):
    for path in modules():
        if path.relative_to(ROOT).parts[0] in packages:
            for node in ast.walk(ast.parse(path.read_text())):
                yield path.relative_to(ROOT), node


def test_task_states_are_said_by_their_names():
    found = [f"{path}:{node.lineno}: {node.value}" for path, node in _nodes(*PACKAGES)
             if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in TASKS]
    assert not found, "name them by common.server_states: " + ", ".join(found)


def test_only_the_state_machine_writes_them():
    found = []
    for path, node in _nodes("compute_api", "conductor", "scheduler"):
        if path.parts[:2] != ("conductor", "db") and isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) \
                and node.func.attr == "values":
            names = {k.arg for k in node.keywords} | {k.value for a in node.args if isinstance(a, ast.Dict)
                                                      for k in a.keys if isinstance(k, ast.Constant)}
            if names & {"vm_state", "task_state", "power_state"}:
                found.append(f"{path}:{node.lineno}")
    assert not found, "use conductor.db.machine: " + ", ".join(found)
