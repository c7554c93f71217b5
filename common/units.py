"""Units of work, which are retried from the start if the database aborts their transaction.

A request, an RPC call, and functions decorated with ``unit`` are units. A database may abort any transaction: on a deadlock, if
another node has changed the row first, or if two transactions insert the same value. Nothing of the transaction remains then, so
the unit is retried, unless it has already had an effect that others can see: committed a transaction, changed something in
another service, or sent a message. In that case, and after several attempts, the error goes to the caller. So: what is checked
and then written belongs in one transaction, messages are sent after it, and a transaction that must follow a visible effect is a
unit of its own.
"""

import functools
import random
import threading
import time

from common import errors

TRIES, TRIES_OF_CONFLICTS = 12, 6
_LOCAL = threading.local()
# Deadlock, lock wait timeout, row changed since it was read, Galera's certification, and a node that is not ready for it.
_MYSQL_AGAIN, _MYSQL_CONFLICT = {1213, 1205, 1020, 1047}, {1062, 1451, 1452}
# Serialization failure, deadlock, lock timeout; unique and foreign key violation.
_POSTGRESQL_AGAIN, _POSTGRESQL_CONFLICT = {"40001", "40P01", "55P03"}, {"23505", "23503"}
_SQLITE_CONFLICT = ("UNIQUE constraint failed", "FOREIGN KEY constraint failed")


class RetryUnit(Exception):
    """What the transaction chose is taken meanwhile: roll it back and choose anew."""


class _Unit:
    visible = False  # whether there has been an effect that others can see


def _tries(error: Exception) -> int:
    """How often a unit that ended so is run."""
    if isinstance(error, RetryUnit) or is_rolled_back(error):
        return TRIES
    return TRIES_OF_CONFLICTS if is_conflict(error) else 1


def is_rolled_back(error: Exception) -> bool:
    """Whether the database ended the transaction for the sake of another."""
    state, code = _codes(error)
    return state in _POSTGRESQL_AGAIN or code in _MYSQL_AGAIN


def is_conflict(error: Exception) -> bool:
    """Whether a constraint failed because of other rows, which may be new or deleted."""
    state, code = _codes(error)
    return state in _POSTGRESQL_CONFLICT or code in _MYSQL_CONFLICT or \
        isinstance(code, str) and code.startswith(_SQLITE_CONFLICT)


def _codes(error: Exception) -> tuple:
    """(PostgreSQL's state, the driver's number or text) of an error of SQLAlchemy's; (None, None) of any other.

    By its attributes, because agents, which have no database, import this too."""
    raised = getattr(error, "orig", None)
    if raised is None:
        return None, None
    return getattr(raised, "pgcode", None), raised.args[0] if raised.args else None


def run(work, *args, **kwargs):
    """Run ``work`` as a unit and return its result.

    :raises Conflict: it lost against others in all attempts
    """
    outer, attempt = getattr(_LOCAL, "unit", None), 0
    while True:
        _LOCAL.unit = unit = _Unit()
        attempt += 1
        try:
            return work(*args, **kwargs)
        except Exception as error:  # all other errors are raised
            if unit.visible or _tries(error) == 1:
                raise
            if attempt >= _tries(error):
                raise errors.Conflict("Too many concurrent requests compete for a resource.", internal=str(error)) from error
        finally:
            _LOCAL.unit = outer
            if outer is not None:
                outer.visible = outer.visible or unit.visible
        time.sleep(random.uniform(0, min(0.5, 0.01 * 2 ** attempt)))


def unit(function):
    """Decorator for functions that are units."""
    @functools.wraps(function)
    def inner(*args, **kwargs):
        return run(function, *args, **kwargs)
    return inner


def mark_visible() -> None:
    """Said by whatever cannot be taken back: from here on the unit is not run again."""
    current = getattr(_LOCAL, "unit", None)
    if current is not None:
        current.visible = True
