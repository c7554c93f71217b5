"""Writes the states of servers, by the table ``common.server_states``, each by compare-and-swap.

Besides these functions only ``deletion.finish``, which takes the row away, changes ``vm_state``, ``task_state`` and
``power_state``; new rows are inserted in the first of them.

Each operation that begins has a number, the row's ``attempt``. Whoever carries it out says it in its reports, and the
report of an attempt that is not the row's newest writes nothing.
"""

import sqlalchemy as sa

from common import db, errors
from common.server_states import (
    ACTIONS,
    ANY,
    BUILD_TASKS,
    BUILDING,
    SCHEDULING,
    SEEN,
    STATUS,
    Action,
)
from conductor.db.models import instances as TABLE

# Actions that are parts of an attempt which began with the choice of a host.
_CONTINUING = ("build", "spawn")


def conditions_of(wanted: str, table=TABLE):
    """The WHERE of a status filter, or None for a status that does not exist."""
    pairs = [pair for pair, name in STATUS.items() if name == wanted]
    if not pairs:
        return None
    found: list = []
    for vm_state, task_state in pairs:
        if task_state is not None:
            found.append(sa.and_(table.c.vm_state == vm_state, table.c.task_state == task_state))
        else:
            special = [t for v, t in STATUS if v == vm_state and t is not None]
            found.append(sa.and_(table.c.vm_state == vm_state, sa.or_(table.c.task_state.is_(None),
                                                                      table.c.task_state.not_in(special))))
    return sa.or_(*found)


def _allowed(action: Action) -> list:
    found: list = []
    if action.ends is not ANY:
        found.append(TABLE.c.vm_state.in_(sorted(action.ends)))
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
    changed = {"task_state": action.task_state, "updated_at": db.now(), **values}
    if name not in _CONTINUING:
        changed["attempt"] = TABLE.c.attempt + 1
    done = connection.execute(sa.update(TABLE).where(TABLE.c.uuid == uuid, *_allowed(action), *also).values(changed))
    if done.rowcount == 0:
        row = connection.execute(sa.select(TABLE.c.vm_state, TABLE.c.task_state).where(TABLE.c.uuid == uuid)).first()
        if row is None:
            raise errors.NotFound(f"Instance {uuid} could not be found.")
        wrong_vm = action.ends is not ANY and row.vm_state not in action.ends
        attr, state = ("vm_state", row.vm_state) if wrong_vm else ("task_state", row.task_state)
        raise errors.InvalidState(action=name, resource="instance", id=uuid, attr=attr, state=state)


def go_on(connection, uuid: str, name: str, task_state: str, attempt: int) -> bool:
    """An operation came to a further of its task states. False: it counts no more, nothing was written."""
    done = connection.execute(sa.update(TABLE).where(
        TABLE.c.uuid == uuid, TABLE.c.task_state.in_(ACTIONS[name].all_task_states), *of_attempt(attempt)).values(
        task_state=task_state, updated_at=db.now()))
    return done.rowcount > 0


def finish(connection, uuid: str, name: str, *, attempt: int | None = None, end: str | None = None, **values) -> bool:
    """The action succeeded: to the end that belongs to the state before. False: another action (a delete) has taken over,
    nothing was written.

    Reports of one build may overtake each other: the end counts from any state that the action could begin in.

    :param attempt: the one that is reported of; None: an agent of the release before does not say
    :param end: the vm_state in which it ends, where that is not the one of the table
    """
    action = ACTIONS[name]
    from_states = {*action.all_task_states, *(t for t in action.task_states or () if t)}
    changed = {"task_state": None, "updated_at": db.now(), **values}
    if end is not None:
        changed["vm_state"] = end
    elif action.ends is not ANY:
        changed["vm_state"] = sa.case(action.ends, value=TABLE.c.vm_state, else_=TABLE.c.vm_state)
    done = connection.execute(sa.update(TABLE).where(
        TABLE.c.uuid == uuid, TABLE.c.task_state.in_(sorted(from_states)), *of_attempt(attempt)).values(changed))
    return done.rowcount > 0


def of_attempt(attempt: int | None) -> list:
    """Conditions of a report's writes."""
    return [] if attempt is None else [TABLE.c.attempt == attempt]


def fail(connection, uuid: str, name: str, *, fault: dict | None = None, attempt: int | None = None, **values) -> bool:
    """The action failed: idle, in the state before or in the action's own, with a fault for the user. False: as ``finish``."""
    action = ACTIONS[name]
    allowed = [TABLE.c.task_state.in_(action.all_task_states)]
    if action.task_state in BUILD_TASKS:
        allowed = _being_built()
    changed = {"task_state": None, "updated_at": db.now(), **values}
    if action.failed:
        changed["vm_state"] = action.failed
    if fault:
        changed["fault"] = fault
    done = connection.execute(sa.update(TABLE).where(TABLE.c.uuid == uuid, *allowed, *of_attempt(attempt)).values(changed))
    return done.rowcount > 0


def _being_built() -> list:
    return [TABLE.c.vm_state == BUILDING, TABLE.c.task_state.in_(BUILD_TASKS)]


def build_elsewhere(connection, row: dict, tried_hosts: list[str], fault: dict) -> dict | None:
    """A host could not build the server: let it wait for another.

    :returns: its row now; None: it is not being built any more
    """
    changed = {"task_state": SCHEDULING, "host": None, "tried_hosts": tried_hosts, "fault": fault, "updated_at": db.now(),
               "attempt": row["attempt"] + 1}
    done = connection.execute(sa.update(TABLE).where(TABLE.c.uuid == row["uuid"], *_being_built()).values(changed))
    return {**row, **changed} if done.rowcount else None


def reset(connection, uuid: str, vm_state: str) -> None:
    """The operator's way out: a stable state and nothing under way, whatever was going on."""
    connection.execute(sa.update(TABLE).where(TABLE.c.uuid == uuid).values(
        vm_state=vm_state, task_state=None, updated_at=db.now(), attempt=TABLE.c.attempt + 1))


def see_power(connection, host: str, uuid: str, power_state: int) -> None:
    """Write what the hypervisor of the server's own host sees; NOSTATE: it has no such guest.

    A guest that stopped by itself, or is gone, makes an idle server stopped, so that it can be started again. One that
    runs although it should be stopped (its agent came back, the operator started it by hand) is shown as running: what
    users see must be true.
    """
    own = (TABLE.c.uuid == uuid, TABLE.c.host == host)
    connection.execute(sa.update(TABLE).where(*own, TABLE.c.power_state != power_state).values(
        power_state=power_state, updated_at=db.now()))
    if power_state in SEEN:
        before, after = SEEN[power_state]
        connection.execute(sa.update(TABLE).where(*own, TABLE.c.vm_state.in_(before), TABLE.c.task_state.is_(None)).values(
            vm_state=after, updated_at=db.now()))


def fault(message: str, *, code: int = 500, details: str = "") -> dict:
    return {"code": code, "message": message[:255], "created": db.iso(db.now()), "details": details}
