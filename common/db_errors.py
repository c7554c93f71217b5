"""Classifies database errors: the database is unavailable, the client sent an invalid value, or our statement is wrong.

Drivers raise the same class (OperationalError) for all three, so the server's error code decides.
"""

import sqlalchemy as sa

from common import errors, units

# SQLite's primary result codes: PERM, BUSY, LOCKED, NOMEM, READONLY, IOERR, CORRUPT, FULL, CANTOPEN, PROTOCOL, NOTADB.
_SQLITE_AWAY = {3, 5, 6, 7, 8, 10, 11, 13, 14, 15, 26}
_SQLITE_TOO_BIG, _SQLITE_MISMATCH, _SQLITE_RANGE = 18, 20, 25
# SQLite has one code (ERROR) for wrong statements and for values that make a statement fail.
_SQLITE_CLIENT = ("json path", "malformed json", "too many sql variables", "expression tree is too large", "pattern too complex",
                  "user-defined function raised", "parser stack overflow", "integer overflow", "too many terms", "too long")
# MySQL and MariaDB: regular expressions, lengths and ranges, invalid characters, JSON and its paths, CHECK.
_MYSQL_CLIENT = {1139, 1153, 1259, 1260, 1264, 1265, 1267, 1270, 1271, 1292, 1300, 1366, 1367, 1390, 1406, 1411, 1436, 1441, 1525,
                 1690, 3140, 3141, 3143, 3152, 3156, 3157, 3819, 3854, 4025, *range(3685, 3700), *range(4036, 4045)}
# Wrong statements: unknown tables and columns, syntax.
_MYSQL_OURS = {1054, 1060, 1064, 1109, 1146, 1149, 1305, 1364, 1048}
# PostgreSQL's SQLSTATE classes: data exception, program limit exceeded.
_POSTGRESQL_CLIENT = ("22", "54")
# Connection, rollback, resources, operator intervention, system, lock not available, read only.
_POSTGRESQL_AWAY = ("08", "40", "53", "57", "58", "55P03", "25006", "F0", "XX")


def _sqlite(error) -> str:
    code = getattr(error, "sqlite_errorcode", None)
    if code is None:  # raised by the Python module itself, for example for a closed connection
        return "client" if isinstance(error, (OverflowError, UnicodeError)) or "binding parameter" in str(error) else "away"
    if code & 0xFF in _SQLITE_AWAY:
        return "away"
    if code & 0xFF in (_SQLITE_TOO_BIG, _SQLITE_MISMATCH, _SQLITE_RANGE):
        return "client"
    return "client" if any(words in str(error).lower() for words in _SQLITE_CLIENT) else "ours"


def _mysql(error) -> str:
    code = error.args[0] if error.args and isinstance(error.args[0], int) else 0
    return "client" if code in _MYSQL_CLIENT else "ours" if code in _MYSQL_OURS else "away"


def _postgresql(error) -> str:
    state = getattr(error, "pgcode", None) or getattr(error, "sqlstate", None)
    if state is None:
        return "away"
    return "client" if state.startswith(_POSTGRESQL_CLIENT) else "away" if state.startswith(_POSTGRESQL_AWAY) else "ours"


_DRIVERS = {"sqlite3": _sqlite, "pymysql": _mysql, "psycopg2": _postgresql}


def _is_full(original) -> bool:
    """Whether a database has no space left: SQLite's FULL, MySQL's and PostgreSQL's disk full."""
    number = original.args[0] if getattr(original, "args", ()) else None
    return (getattr(original, "sqlite_errorcode", 0) & 0xFF == 13 or number in (1021, 1114)
            or getattr(original, "pgcode", None) == "53100")


def driver_text(error: Exception) -> str:
    """What a database's driver says, in a line and without the statement."""
    original = getattr(error, "orig", None) or error
    text = original.args[-1] if original.args and isinstance(original.args[-1], str) else str(original)
    return next(iter(text.strip().splitlines()), type(original).__name__)


# The results of ``kind``.
KINDS = ("away", "retried", "constraint", "client", "ours")


def cause(error: sa.exc.StatementError) -> str:
    """"away", "client" or "ours"."""
    original = error.orig
    if getattr(error, "connection_invalidated", False):
        return "away"
    # The driver cannot encode the value: a number too large, NUL, a lone surrogate.
    if isinstance(original, (OverflowError, UnicodeError)) or isinstance(original, ValueError) and "NUL" in str(original):
        return "client"
    if isinstance(error, sa.exc.DataError):
        return "client"
    if isinstance(error, (sa.exc.OperationalError, sa.exc.InterfaceError, sa.exc.InternalError, sa.exc.ProgrammingError)):
        classify = _DRIVERS.get(type(original).__module__.partition(".")[0])
        return classify(original) if classify else "away" if isinstance(error, sa.exc.OperationalError) else "ours"
    return "ours"


def kind(error: sa.exc.SQLAlchemyError) -> str:
    """One of KINDS, for metrics."""
    if isinstance(error, sa.exc.TimeoutError):
        return "away"
    if units.is_rolled_back(error):
        return "retried"
    if isinstance(error, sa.exc.IntegrityError):
        return "constraint"
    return cause(error) if isinstance(error, sa.exc.StatementError) else "ours"


def translate(error: Exception) -> errors.Error | None:
    """The declared error for a database error; None for errors in our statements and for other exceptions.

    ServiceUnavailable if the database is unavailable, BadRequest if it cannot store or compare a value that the client sent, and
    Conflict if a constraint failed that no handler expected.
    """
    if isinstance(error, units.RetryUnit):
        return errors.Conflict("The request conflicts with another that came at the same time.", internal=str(error))
    if isinstance(error, sa.exc.TimeoutError):
        return errors.ServiceUnavailable(part="the database", internal=str(error))
    # Raised by the sqlite3 module: a number above 64 bits, a lone surrogate.
    if isinstance(error, (OverflowError, UnicodeEncodeError)) and ("SQLite" in str(error) or "surrogates" in str(error)):
        return errors.BadRequest("A value in the request is out of range.", internal=str(error))
    if isinstance(error, sa.exc.IntegrityError):
        return errors.Conflict("The request conflicts with existing resources: something exists already, or does not exist.",
                               internal=str(error))
    if not isinstance(error, sa.exc.StatementError):
        return None
    why = cause(error)
    if why == "away" and _is_full(error.orig):
        return errors.ServiceUnavailable("The database of this service has no space left. The operator must free some.",
                                         internal=str(error))
    if why == "away":
        return errors.ServiceUnavailable(part="the database", internal=str(error))
    if why == "client":
        return errors.BadRequest("A value in the request cannot be stored or compared.", internal=str(error))
    return None
