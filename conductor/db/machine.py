"""The server's state machine: one table, and the three functions that write its columns.

``vm_state`` is stable, ``task_state`` is in progress or None, ``power_state``
is what the hypervisor sees. The ``status`` that users see is computed.
Besides ``begin``, ``finish`` and ``fail``, only the power-state sync
(``instances.sync_power``) writes these columns.
"""

import dataclasses

import sqlalchemy as sa

from common import db, errors
from conductor.db.models import instances as TABLE

ACTIVE, BUILDING, STOPPED, ERROR, DELETED = "active", "building", "stopped", "error", "deleted"
FROZEN, SUSPENDED, RESCUED = "paused", "suspended", "rescued"
NOSTATE, RUNNING, PAUSED, SHUTDOWN, CRASHED = 0, 1, 3, 4, 6
ANY = None
IDLE = frozenset((None,))


@dataclasses.dataclass(frozen=True)
class Action:
    """Allowed vm_states and task_states (ANY: all), the task_state set, and the vm_state on success (None: as before)."""

    vm_states: frozenset | None
    task_states: frozenset | None
    task_state: str
    end: str | None


def _states(*names) -> frozenset:
    return frozenset(names)


ACTIONS = {
    "schedule": Action(_states(BUILDING), _states("scheduling"), "scheduling", None),
    "build": Action(_states(BUILDING), _states("scheduling", "networking"), "networking", ACTIVE),
    "spawn": Action(_states(BUILDING), _states("networking", "spawning"), "spawning", ACTIVE),
    "start": Action(_states(STOPPED), IDLE, "powering-on", ACTIVE),
    "stop": Action(_states(ACTIVE, ERROR), IDLE, "powering-off", STOPPED),
    "reboot": Action(_states(ACTIVE), IDLE, "rebooting", ACTIVE),
    "pause": Action(_states(ACTIVE), IDLE, "pausing", FROZEN),
    "unpause": Action(_states(FROZEN), IDLE, "unpausing", ACTIVE),
    "suspend": Action(_states(ACTIVE), IDLE, "suspending", SUSPENDED),
    "resume": Action(_states(SUSPENDED), IDLE, "resuming", ACTIVE),
    "reboot-hard": Action(_states(ACTIVE, STOPPED, FROZEN, SUSPENDED, ERROR), _states(None, "rebooting", "rebooting_hard"),
                          "rebooting_hard", ACTIVE),
    "rescue": Action(_states(ACTIVE, STOPPED, ERROR), IDLE, "rescuing", RESCUED),
    "unrescue": Action(_states(RESCUED), IDLE, "unrescuing", ACTIVE),
    "rebuild": Action(_states(ACTIVE, ERROR), IDLE, "rebuilding", ACTIVE),
    "rebuild-stopped": Action(_states(STOPPED), IDLE, "rebuilding", STOPPED),
    "image_snapshot": Action(_states(ACTIVE, STOPPED, FROZEN, SUSPENDED), IDLE, "image_snapshot", None),
    "image_backup": Action(_states(ACTIVE, STOPPED, FROZEN, SUSPENDED), IDLE, "image_backup", None),
    "delete": Action(ANY, ANY, "deleting", DELETED),
}
# (vm_state, task_state) -> status; (vm_state, None) is the default of its row. Source: compute API guide, "Server
# status".
_STATUS = {
    (ACTIVE, None): "ACTIVE", (ACTIVE, "rebooting"): "REBOOT", (ACTIVE, "rebooting_hard"): "HARD_REBOOT",
    (RESCUED, None): "RESCUE", (FROZEN, None): "PAUSED", (FROZEN, "rebooting_hard"): "HARD_REBOOT",
    (SUSPENDED, None): "SUSPENDED", (SUSPENDED, "rebooting_hard"): "HARD_REBOOT", (BUILDING, None): "BUILD",
    (ACTIVE, "rebuilding"): "REBUILD", (STOPPED, "rebuilding"): "REBUILD", (ERROR, "rebuilding"): "REBUILD",
    (STOPPED, None): "SHUTOFF", (STOPPED, "rebooting_hard"): "HARD_REBOOT",
    (ERROR, None): "ERROR", (ERROR, "rebooting_hard"): "HARD_REBOOT", (DELETED, None): "DELETED",
}
STATUSES = sorted(set(_STATUS.values()))


def status(row: dict) -> str:
    """What users see."""
    return _STATUS.get((row["vm_state"], row["task_state"])) or _STATUS.get((row["vm_state"], None), "UNKNOWN")


def conditions_of(wanted: str, table=TABLE):
    """The WHERE of a status filter, or None for a status that does not exist."""
    pairs = [pair for pair, name in _STATUS.items() if name == wanted]
    if not pairs:
        return None
    found: list = []
    for vm_state, task_state in pairs:
        if task_state is not None:
            found.append(sa.and_(table.c.vm_state == vm_state, table.c.task_state == task_state))
        else:
            special = [t for v, t in _STATUS if v == vm_state and t is not None]
            found.append(sa.and_(table.c.vm_state == vm_state, sa.or_(table.c.task_state.is_(None),
                                                                      table.c.task_state.not_in(special))))
    return sa.or_(*found)


def _allowed(action: Action) -> list:
    found: list = []
    if action.vm_states is not ANY:
        found.append(TABLE.c.vm_state.in_(sorted(action.vm_states)))
    if action.task_states is not ANY:
        named = [t for t in action.task_states if t is not None]
        option = TABLE.c.task_state.in_(named)
        found.append(sa.or_(option, TABLE.c.task_state.is_(None)) if None in action.task_states else option)
    return found


def begin(connection, uuid: str, name: str, *, also=(), **values) -> None:
    """Compare-and-swap a server into an action.

    :raises InvalidState: it is in a state that does not allow the action; nothing was written
    :raises NotFound: it is gone
    """
    action = ACTIONS[name]
    done = connection.execute(sa.update(TABLE).where(TABLE.c.uuid == uuid, *_allowed(action), *also).values(
        {"task_state": action.task_state, "updated_at": db.now(), **values}))
    if done.rowcount == 0:
        row = connection.execute(sa.select(TABLE.c.vm_state, TABLE.c.task_state).where(TABLE.c.uuid == uuid)).first()
        if row is None:
            raise errors.NotFound(f"Instance {uuid} could not be found.")
        wrong_vm = action.vm_states is not ANY and row.vm_state not in action.vm_states
        attr, state = ("vm_state", row.vm_state) if wrong_vm else ("task_state", row.task_state)
        raise errors.InvalidState(action=name, resource="instance", id=uuid, attr=attr, state=state)


def finish(connection, uuid: str, name: str, **values) -> bool:
    """The action succeeded. False: another action (a delete) has taken over, nothing was written.

    Reports of one build may overtake each other: the end counts from any state that the action could begin in.
    """
    action = ACTIONS[name]
    from_states = {action.task_state, *(t for t in action.task_states or () if t)}
    done = connection.execute(sa.update(TABLE).where(TABLE.c.uuid == uuid, TABLE.c.task_state.in_(sorted(from_states)))
                              .values({**({"vm_state": action.end} if action.end else {}), "task_state": None,
                                       "updated_at": db.now(), **values}))
    return done.rowcount > 0


def fail(connection, uuid: str, name: str, *, vm_state: str | None = None, fault: dict | None = None,
         **values) -> bool:
    """The action failed: back to idle, in ``vm_state`` (None: as before), with a fault for the user."""
    action = ACTIONS[name]
    allowed = [TABLE.c.task_state == action.task_state]
    if name in ("build", "spawn", "schedule"):
        allowed = [TABLE.c.vm_state == BUILDING, TABLE.c.task_state.in_(("scheduling", "networking", "spawning"))]
    changed = {"task_state": None, "updated_at": db.now(), **values}
    if vm_state:
        changed["vm_state"] = vm_state
    if fault:
        changed["fault"] = fault
    return connection.execute(sa.update(TABLE).where(TABLE.c.uuid == uuid, *allowed).values(changed)).rowcount > 0


def fault(message: str, *, code: int = 500, details: str = "") -> dict:
    return {"code": code, "message": message[:255], "created": db.iso(db.now()), "details": details}
