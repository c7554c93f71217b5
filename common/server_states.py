"""The states of servers: one table of what can be done to one, for the API, the conductor and the agents.

``vm_state`` is stable, ``task_state`` is what is under way or None, ``power_state`` is what the hypervisor sees. While a task
is under way ``vm_state`` stays what it was before, so it says which of an action's ends is this server's, and to what a failed
one goes back. ``conductor.db.machine`` writes them, by this table.
"""

import dataclasses

ACTIVE, BUILDING, STOPPED, ERROR, DELETED = "active", "building", "stopped", "error", "deleted"
VM_PAUSED, SUSPENDED, RESCUED, RESIZED = "paused", "suspended", "rescued", "resized"
NOSTATE, RUNNING, PAUSED, SHUTDOWN, CRASHED = 0, 1, 3, 4, 6
ANY = None


@dataclasses.dataclass(frozen=True)
class Action:
    """What can be done to a server.

    ``ends``: {vm_state in which it may begin: vm_state when it succeeded}; ANY: from every state, and nothing comes after
    ``task_state``: while it is under way
    ``task_states``: in which it may begin; None among them: while nothing is under way
    ``failed``: the vm_state when it failed, because what the server was before may not be true any more; None: as before
    ``guest``: the host's agent does it to the guest by itself, and is asked again where that was lost
    ``later``: further task states of it, in order; it is an operation of several hosts, which ``conductor.operations`` drives
    """

    ends: dict[str, str] | None
    task_state: str
    task_states: frozenset | None = frozenset((None,))
    failed: str | None = None
    guest: bool = True
    later: tuple[str, ...] | None = None

    @property
    def all_task_states(self) -> tuple[str, ...]:
        return (self.task_state, *(self.later or ()))


def _to(end: str, *vm_states: str) -> dict[str, str]:
    return dict.fromkeys(vm_states, end)


def _same(*vm_states: str) -> dict[str, str]:
    return {state: state for state in vm_states}


def _operation(ends: dict[str, str], task_state: str, *later: str) -> Action:
    return Action(ends, task_state, guest=False, later=later)


def _building(end: str, task_state: str, *task_states: str) -> Action:
    return Action(_to(end, BUILDING), task_state, frozenset(task_states), ERROR, guest=False)


ACTIONS = {
    "schedule": _building(BUILDING, "scheduling", "scheduling"),
    "build": _building(ACTIVE, "networking", "scheduling", "networking"),
    "spawn": _building(ACTIVE, "spawning", "networking", "spawning"),
    "start": Action(_to(ACTIVE, STOPPED), "powering-on"),
    "stop": Action(_to(STOPPED, ACTIVE, ERROR), "powering-off"),
    "reboot": Action(_same(ACTIVE), "rebooting"),
    "reboot-hard": Action(_to(ACTIVE, ACTIVE, STOPPED, VM_PAUSED, SUSPENDED, ERROR), "rebooting_hard",
                          frozenset((None, "rebooting", "rebooting_hard"))),
    "pause": Action(_to(VM_PAUSED, ACTIVE), "pausing"),
    "unpause": Action(_to(ACTIVE, VM_PAUSED), "unpausing"),
    "suspend": Action(_to(SUSPENDED, ACTIVE), "suspending"),
    "resume": Action(_to(ACTIVE, SUSPENDED), "resuming"),
    "rescue": Action(_to(RESCUED, ACTIVE, STOPPED, ERROR), "rescuing", failed=ERROR),
    "unrescue": Action(_to(ACTIVE, RESCUED), "unrescuing", failed=ERROR),
    "rebuild": Action({**_to(ACTIVE, ACTIVE, ERROR), **_same(STOPPED)}, "rebuilding", failed=ERROR),
    "image_snapshot": Action(_same(ACTIVE, STOPPED, VM_PAUSED, SUSPENDED), "image_snapshot", guest=False),
    "image_backup": Action(_same(ACTIVE, STOPPED, VM_PAUSED, SUSPENDED), "image_backup", guest=False),
    **dict.fromkeys(("migrate", "resize"), _operation(_to(RESIZED, ACTIVE, STOPPED), "resize_prep", "resize_migrating",
                                                      "resize_migrated", "resize_finish")),
    # The server ends as it was before: ACTIVE or STOPPED.
    "confirmResize": _operation(_to(ACTIVE, RESIZED), "resize_confirming"),
    "revertResize": _operation(_to(ACTIVE, RESIZED), "resize_reverting"),
    "delete": Action(ANY, "deleting", ANY, guest=False),
}
BUILD_TASKS = SCHEDULING, NETWORKING, SPAWNING = tuple(ACTIONS[name].task_state for name in ("schedule", "build", "spawn"))
REBUILDING, DELETING = (ACTIONS[name].task_state for name in ("rebuild", "delete"))
IMAGE_TASKS = tuple(ACTIONS[name].task_state for name in ("image_snapshot", "image_backup"))
RESIZE_TASKS = RESIZE_PREP, RESIZE_MIGRATING, RESIZE_MIGRATED, RESIZE_FINISH = ACTIONS["migrate"].all_task_states
REVERTING = ACTIONS["revertResize"].task_state
# Task states that ``conductor.operations`` sees to.
OPERATION_TASKS = tuple(sorted({t for a in ACTIONS.values() if a.later is not None for t in a.all_task_states}))
# Actions that an agent does to a guest by itself, and the task_state that says that one is wanted.
POWER = {name: action.task_state for name, action in ACTIONS.items() if action.guest}

# vm_states of servers that have a guest on their host, those whose guest runs, and task_states that leave it running.
WITH_GUEST = frozenset((ACTIVE, VM_PAUSED, SUSPENDED, RESCUED, RESIZED))
GUEST_RUNS = frozenset((ACTIVE, RESCUED))
HARMLESS_TASKS = (None, *IMAGE_TASKS)
# power_state that a hypervisor sees: (vm_states of an idle server that it changes, the new one). A suspended guest is off, its
# memory is kept.
SEEN = {
    SHUTDOWN: ((ACTIVE, VM_PAUSED), STOPPED), CRASHED: ((ACTIVE, VM_PAUSED), STOPPED),
    NOSTATE: ((ACTIVE, VM_PAUSED, SUSPENDED), STOPPED), RUNNING: ((STOPPED,), ACTIVE)}

# (vm_state, task_state) -> the status that users see; (vm_state, None) is the default of its row. Source: compute API guide,
# "Server status".
_HARD = ACTIONS["reboot-hard"].task_state
STATUS: dict[tuple[str, str | None], str] = {
    (ACTIVE, None): "ACTIVE", (ACTIVE, ACTIONS["reboot"].task_state): "REBOOT", (ACTIVE, _HARD): "HARD_REBOOT",
    (RESCUED, None): "RESCUE", (VM_PAUSED, None): "PAUSED", (VM_PAUSED, _HARD): "HARD_REBOOT",
    (SUSPENDED, None): "SUSPENDED", (SUSPENDED, _HARD): "HARD_REBOOT", (BUILDING, None): "BUILD",
    (ACTIVE, REBUILDING): "REBUILD", (STOPPED, REBUILDING): "REBUILD", (ERROR, REBUILDING): "REBUILD",
    (STOPPED, None): "SHUTOFF", (STOPPED, _HARD): "HARD_REBOOT", (ERROR, None): "ERROR", (ERROR, _HARD): "HARD_REBOOT",
    (DELETED, None): "DELETED", (RESIZED, None): "VERIFY_RESIZE", (RESIZED, REVERTING): "REVERT_RESIZE",
    **{(vm_state, task): "RESIZE" for vm_state in (ACTIVE, STOPPED) for task in RESIZE_TASKS},
}
STATUSES = sorted(set(STATUS.values()))


def status(row: dict) -> str:
    """What users see of a server."""
    return STATUS.get((row["vm_state"], row["task_state"])) or STATUS.get((row["vm_state"], None), "UNKNOWN")
