"""The states of servers: one table of actions, used by the API, the conductor and the agents.

``vm_state`` is stable, ``task_state`` is the task in progress or None, ``power_state`` is what the hypervisor reports. During a
task ``vm_state`` keeps its former value, which selects the action's end state, and to which a failed action returns.
``conductor.db.machine`` writes the states by this table.
"""

import dataclasses

ACTIVE, BUILDING, STOPPED, ERROR, DELETED = "active", "building", "stopped", "error", "deleted"
VM_PAUSED, SUSPENDED, RESCUED, RESIZED = "paused", "suspended", "rescued", "resized"
SHELVED, SHELVED_OFFLOADED = "shelved", "shelved_offloaded"
SOFT_DELETED = "soft-delete"  # can be restored for a while
NOSTATE, RUNNING, PAUSED, SHUTDOWN, CRASHED = 0, 1, 3, 4, 6
ANY = None


@dataclasses.dataclass(frozen=True)
class Action:
    """An action on a server.

    ``ends``: {initial vm_state: vm_state after success}; ANY: from every state, and the server is gone afterwards
    ``task_state``: while the action is in progress
    ``task_states``: in which it may begin; None stands for an idle server
    ``failed``: the vm_state after a failure, if the former one may no longer be true; None: the former one
    ``guest``: the host's agent does it to the guest, and is asked again if the message was lost
    ``later``: its further task states, in order; it is an operation of several hosts, run by ``conductor.operations``
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
    "soft-delete": Action(_to(SOFT_DELETED, ACTIVE, STOPPED, VM_PAUSED, SUSPENDED, ERROR), "soft-deleting"),
    "restore": Action(_to(ACTIVE, SOFT_DELETED), "restoring"),
    "image_snapshot": Action(_same(ACTIVE, STOPPED, VM_PAUSED, SUSPENDED), "image_snapshot", guest=False),
    "image_backup": Action(_same(ACTIVE, STOPPED, VM_PAUSED, SUSPENDED), "image_backup", guest=False),
    **dict.fromkeys(("migrate", "resize"), _operation(_to(RESIZED, ACTIVE, STOPPED), "resize_prep", "resize_migrating",
                                                      "resize_migrated", "resize_finish")),
    # The end state is the former one: ACTIVE or STOPPED.
    "confirmResize": _operation(_to(ACTIVE, RESIZED), "resize_confirming"),
    "revertResize": _operation(_to(ACTIVE, RESIZED), "resize_reverting"),
    "os-migrateLive": _operation(_same(ACTIVE, VM_PAUSED), "migrating"),
    # A server that boots from a volume is offloaded immediately.
    "shelve": _operation(_to(SHELVED, ACTIVE, STOPPED, VM_PAUSED, SUSPENDED), "shelving", "shelving_image_pending_upload",
                         "shelving_image_uploading"),
    "shelveOffload": _operation(_to(SHELVED_OFFLOADED, SHELVED), "shelving_offloading"),
    "delete": Action(ANY, "deleting", ANY, guest=False),
}
# The host is down, so whatever was in progress there may be replaced, except a deletion of either kind.
ACTIONS["evacuate"] = Action({**_to(ACTIVE, ACTIVE, ERROR), **_same(STOPPED)}, "rebuild_block_device_mapping", frozenset((
    None, *(t for a in ACTIONS.values() if a.ends is not ANY and BUILDING not in a.ends and SOFT_DELETED not in a.ends.values()
            for t in a.all_task_states))),
    guest=False, later=("rebuild_spawning",))
# The last task state is a build's too.
ACTIONS["unshelve"] = _operation(_to(ACTIVE, SHELVED, SHELVED_OFFLOADED), "unshelving", "spawning")
BUILD_TASKS = SCHEDULING, NETWORKING, SPAWNING = tuple(ACTIONS[name].task_state for name in ("schedule", "build", "spawn"))
REBUILDING, RESCUING, DELETING = (ACTIONS[name].task_state for name in ("rebuild", "rescue", "delete"))
IMAGE_TASKS = tuple(ACTIONS[name].task_state for name in ("image_snapshot", "image_backup"))
RESIZE_TASKS = RESIZE_PREP, RESIZE_MIGRATING, RESIZE_MIGRATED, RESIZE_FINISH = ACTIONS["migrate"].all_task_states
REVERTING, LIVE_MIGRATING = (ACTIONS[name].task_state for name in ("revertResize", "os-migrateLive"))
EVACUATION_TASKS = EVACUATING, EVACUATION_SPAWNING = ACTIONS["evacuate"].all_task_states
SHELVING_TASKS = SHELVING, SHELVING_PENDING, SHELVING_UPLOADING = ACTIONS["shelve"].all_task_states
# Task states in which a server leaves its host without that host's part in it: its reports count no more.
LEAVING_TASKS = (EVACUATING, RESIZE_MIGRATED, RESIZE_FINISH)
# These, and others in which a host, or none, takes the server over: its former host does nothing more that it was asked to.
TAKEN_OVER_TASKS = (*LEAVING_TASKS, EVACUATION_SPAWNING, *SHELVING_TASKS, *ACTIONS["shelveOffload"].all_task_states)
UNSHELVING_TASKS = UNSHELVING, _ = ACTIONS["unshelve"].all_task_states
# Task states of operations that ``conductor.operations`` runs, except for the one that builds have too.
OPERATION_TASKS = tuple(sorted({t for a in ACTIONS.values() if a.later is not None for t in a.all_task_states} - {*BUILD_TASKS}))
# {action of the agent on a guest: task_state while it is requested}
POWER = {name: action.task_state for name, action in ACTIONS.items() if action.guest}

# vm_states of servers whose guests stand still only for work on them: nobody asked for it.
NOT_PAUSED = frozenset((ACTIVE, RESIZED))
# vm_states of servers with a guest, vm_states with a running guest, and task_states during which it keeps running.
WITH_GUEST = frozenset((ACTIVE, VM_PAUSED, SUSPENDED, RESCUED, RESIZED))
GUEST_RUNS = frozenset((ACTIVE, RESCUED))
HARMLESS_TASKS = (None, *IMAGE_TASKS)
# {power_state: (vm_states of idle servers that it changes, the new vm_state)}. A suspended guest is off, with its memory saved.
SEEN = {
    SHUTDOWN: ((ACTIVE, VM_PAUSED), STOPPED), CRASHED: ((ACTIVE, VM_PAUSED), STOPPED),
    NOSTATE: ((ACTIVE, VM_PAUSED, SUSPENDED), STOPPED), RUNNING: ((STOPPED,), ACTIVE)}

# (vm_state, task_state) -> status for users; (vm_state, None) is the default. Source: compute API guide, "Server status".
_HARD = ACTIONS["reboot-hard"].task_state
STATUS: dict[tuple[str, str | None], str] = {
    (ACTIVE, None): "ACTIVE", (ACTIVE, ACTIONS["reboot"].task_state): "REBOOT", (ACTIVE, _HARD): "HARD_REBOOT",
    (RESCUED, None): "RESCUE", (VM_PAUSED, None): "PAUSED", (VM_PAUSED, _HARD): "HARD_REBOOT",
    (SUSPENDED, None): "SUSPENDED", (SUSPENDED, _HARD): "HARD_REBOOT", (BUILDING, None): "BUILD",
    (ACTIVE, REBUILDING): "REBUILD", (STOPPED, REBUILDING): "REBUILD", (ERROR, REBUILDING): "REBUILD",
    (STOPPED, None): "SHUTOFF", (STOPPED, _HARD): "HARD_REBOOT", (ERROR, None): "ERROR", (ERROR, _HARD): "HARD_REBOOT",
    (ACTIVE, LIVE_MIGRATING): "MIGRATING", (VM_PAUSED, LIVE_MIGRATING): "MIGRATING",
    (SHELVED, None): "SHELVED", (SHELVED_OFFLOADED, None): "SHELVED_OFFLOADED",
    (DELETED, None): "DELETED", (SOFT_DELETED, None): "SOFT_DELETED",
    (RESIZED, None): "VERIFY_RESIZE", (RESIZED, REVERTING): "REVERT_RESIZE",
    **{(vm_state, task): "RESIZE" for vm_state in (ACTIVE, STOPPED) for task in RESIZE_TASKS},
    **{(vm_state, task): "REBUILD" for vm_state in (ACTIVE, STOPPED, ERROR) for task in EVACUATION_TASKS},
}
STATUSES = sorted(set(STATUS.values()))


def status(row: dict) -> str:
    """The status that users see."""
    return STATUS.get((row["vm_state"], row["task_state"])) or STATUS.get((row["vm_state"], None), "UNKNOWN")
