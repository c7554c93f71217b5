"""Writes the states of servers by compare-and-swap, following the table ``common.server_states``.

Only this module and ``deletion.finish``, which removes the row, change ``vm_state``, ``task_state`` and ``power_state``. New
rows are inserted in their initial state.

Each operation that begins increments the row's ``attempt``. Reports carry that number, and a report of an older attempt writes
nothing.
"""

import sqlalchemy as sa

from common import db, errors, rows
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
from conductor.db import console_tokens
from conductor.db.models import instances as TABLE

# Actions that continue the attempt that began with the choice of a host.
_CONTINUING = ("build", "spawn")


def conditions_of(wanted: str, table=TABLE):
    """The WHERE of a status filter, or None for an unknown status."""
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


def _invalid(row: dict, name: str, attr: str) -> errors.InvalidState:
    return errors.InvalidState(action=name, resource="instance", id=row["uuid"], attr=attr, state=row[attr])


def check(row: dict, name: str) -> None:
    """:raises InvalidState: a server's state does not allow an action, as ``begin`` would find"""
    action = ACTIONS[name]
    if action.ends is not ANY and row["vm_state"] not in action.ends:
        raise _invalid(row, name, "vm_state")
    if action.task_states is not ANY and row["task_state"] not in action.task_states:
        raise _invalid(row, name, "task_state")


def begin(connection, uuid: str, name: str, *, also=(), **values) -> None:
    """Begin an action, by compare-and-swap.

    :raises InvalidState: the server's state does not allow the action; nothing was written
    :raises NotFound: there is no such server
    """
    action = ACTIONS[name]
    changed = {"task_state": action.task_state, "updated_at": db.now(), **values}
    if name not in _CONTINUING:
        changed["attempt"] = TABLE.c.attempt + 1
    done = connection.execute(sa.update(TABLE).where(TABLE.c.uuid == uuid, *_allowed(action), *also).values(changed))
    if done.rowcount == 0:
        row = rows.one(connection, sa.select(TABLE.c.uuid, TABLE.c.vm_state, TABLE.c.task_state).where(TABLE.c.uuid == uuid))
        if row is None:
            raise errors.NotFound(f"Instance {uuid} could not be found.")
        check(row, name)
        raise _invalid(row, name, "task_state")
    if name not in console_tokens.KEEPING:
        console_tokens.revoke(connection, uuid)


def advance(connection, uuid: str, name: str, task_state: str, attempt: int) -> bool:
    """Move an operation to its next task state. False: it has been superseded; nothing was written."""
    done = connection.execute(sa.update(TABLE).where(
        TABLE.c.uuid == uuid, TABLE.c.task_state.in_(ACTIONS[name].all_task_states), *of_attempt(attempt)).values(
        task_state=task_state, updated_at=db.now()))
    return done.rowcount > 0


def finish(connection, uuid: str, name: str, *, attempt: int | None = None, end: str | None = None, **values) -> bool:
    """Finish an action: move the server to the end state that belongs to its state before. False: another action, such as a
    delete, has superseded it; nothing was written.

    Reports of a build may arrive out of order, so the end is accepted in every state in which the action can begin.

    :param attempt: the attempt that is reported; None: an agent of the previous release does not say
    :param end: the end vm_state, if it is not that of the table
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
    """Conditions that restrict a report's writes to its attempt."""
    return [] if attempt is None else [TABLE.c.attempt == attempt]


def fail(connection, uuid: str, name: str, *, fault: dict | None = None, attempt: int | None = None, **values) -> bool:
    """The action failed: clear ``task_state`` and set the former vm_state or the action's failure state (``values`` may name
    another), with a fault for the user. False: as ``finish``.
    """
    action = ACTIONS[name]
    allowed = [TABLE.c.task_state.in_(action.all_task_states)]
    if action.task_state in BUILD_TASKS:
        allowed = _being_built()
    changed = {"task_state": None, "updated_at": db.now(), **({"vm_state": action.failed} if action.failed else {}), **values}
    if fault:
        changed["fault"] = fault
    done = connection.execute(sa.update(TABLE).where(TABLE.c.uuid == uuid, *allowed, *of_attempt(attempt)).values(changed))
    return done.rowcount > 0


def _being_built() -> list:
    return [TABLE.c.vm_state == BUILDING, TABLE.c.task_state.in_(BUILD_TASKS)]


def build_elsewhere(connection, row: dict, tried_hosts: list[str], fault: dict) -> dict | None:
    """Put a server that a host could not build back in the queue for another host.

    :returns: the updated row; None if it is no longer being built
    """
    changed = {"task_state": SCHEDULING, "host": None, "availability_zone": row["pinned_availability_zone"],
               "tried_hosts": tried_hosts, "fault": fault, "updated_at": db.now(), "attempt": row["attempt"] + 1}
    done = connection.execute(sa.update(TABLE).where(TABLE.c.uuid == row["uuid"], *_being_built()).values(changed))
    return {**row, **changed} if done.rowcount else None


def reset(connection, uuid: str, vm_state: str) -> None:
    """Reset a server to a stable state, whatever was in progress (os-resetState)."""
    connection.execute(sa.update(TABLE).where(TABLE.c.uuid == uuid).values(
        vm_state=vm_state, task_state=None, updated_at=db.now(), attempt=TABLE.c.attempt + 1))


def sync_power_state(connection, host: str, uuid: str, power_state: int) -> None:
    """Write the power state that the hypervisor of the server's host reports. NOSTATE: there is no such guest.

    A guest that stopped by itself or is missing makes an idle server stopped, so that it can be started again. A guest that runs
    although the server is stopped (it was started by hand, or its agent was down) makes the server active: users see the actual
    state.
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
