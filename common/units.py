"""Units of work: what runs again from its start when the database gave its transaction up.

A request, a call of the bus, and whatever is decorated with ``unit`` are units. A database may end any transaction: two
of them waited for each other, another node had changed the row first, or two inserted the same thing and only one can
have. Nothing of a transaction is left then, so its unit is run again, as long as it has done nothing else that others
can see: committed, changed something at another service, sent a message. After that the error goes to the caller. So:
what takes or checks and then writes does it in one transaction, and tells others only afterwards. A transaction that
must follow something visible is a unit of its own.
"""

import functools
import random
import threading
import time

from common import errors

TRIES, TRIES_OF_CONFLICTS = 12, 6
_LOCAL = threading.local()
# Deadlock, lock wait timeout, row changed since it was read, Galera's certification and a node that is not ready for it.
_MYSQL_AGAIN, _MYSQL_CONFLICT = {1213, 1205, 1020, 1047}, {1062, 1451, 1452}
# Serialization failure, deadlock, lock timeout; unique and foreign key violation.
_POSTGRESQL_AGAIN, _POSTGRESQL_CONFLICT = {"40001", "40P01", "55P03"}, {"23505", "23503"}
_SQLITE_CONFLICT = ("UNIQUE constraint failed", "FOREIGN KEY constraint failed")


class RetryUnit(Exception):
    """What the transaction chose is taken meanwhile: roll it back and choose anew."""


class _Unit:
    visible = False  # whether others can see something that was done


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
    """Whether a constraint refused a row because of other rows: those may be new, or gone."""
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
    """Run ``work`` as a unit and return what it returns.

    :raises Conflict: it lost against others each time
    """
    outer, attempt = getattr(_LOCAL, "unit", None), 0
    while True:
        _LOCAL.unit = unit = _Unit()
        attempt += 1
        try:
            return work(*args, **kwargs)
        except Exception as error:  # any but those that are known to leave nothing are raised on
            if unit.visible or _tries(error) == 1:
                raise
            if attempt >= _tries(error):
                raise errors.Conflict("Too many requests compete for the same thing.", internal=str(error)) from error
        finally:
            _LOCAL.unit = outer
            if outer is not None:
                outer.visible = outer.visible or unit.visible
        time.sleep(random.uniform(0, min(0.5, 0.01 * 2 ** attempt)))


def unit(function):
    """Decorate a function that is a unit."""
    @functools.wraps(function)
    def inner(*args, **kwargs):
        return run(function, *args, **kwargs)
    return inner


def mark_visible() -> None:
    """Said by whatever cannot be taken back: from here on the unit is not run again."""
    current = getattr(_LOCAL, "unit", None)
    if current is not None:
        current.visible = True
