"""Databases: one engine per service, one transaction per unit of work.

SQLite runs in WAL mode with ``BEGIN IMMEDIATE`` for writers, so that processes wait for each other instead of failing. Within a
process, a lock serialises writers, because a busy wait inside SQLite would block all green threads.

On MariaDB and PostgreSQL, transactions are READ COMMITTED and lock what must not change: ``one`` locks the row that a writer
reads, and ``lock`` serialises writers that count or choose rows. A transaction that the database aborts is retried with its unit
of work (``common.units``).
"""

import contextlib
import datetime
import importlib
import logging
import select
import threading
import time
import typing

import msgspec
import psycopg2
import sqlalchemy as sa
from psycopg2 import extensions
from sqlalchemy import event
from sqlalchemy.dialects import mysql, postgresql, sqlite

from common import db_errors, metrics, regex, units

LOG = logging.getLogger(__name__)
NAMING = {"ix": "ix_%(column_0_N_label)s", "uq": "uq_%(table_name)s_%(column_0_N_name)s",
          "fk": "fk_%(table_name)s_%(column_0_N_name)s", "pk": "pk_%(table_name)s"}

# Microseconds everywhere; MySQL's default precision is a second.
MOMENT = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")


def now() -> datetime.datetime:
    """UTC without a time zone, as all columns store it."""
    return datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None)


def epoch(moment: datetime.datetime) -> float:
    """A stored time as seconds since 1970."""
    return moment.replace(tzinfo=datetime.timezone.utc).timestamp()


def iso(moment: datetime.datetime | None, *, zulu: bool = True, micro: bool = False) -> str | None:
    if moment is None:
        return None
    return moment.isoformat(timespec="microseconds" if micro else "seconds") + ("Z" if zulu else "")


# Size of each engine's cache of compiled statements. SQLAlchemy's default, 500, is too large for small daemons.
QUERIES = 150
LOCK_WAIT_S = 10
CONNECT_S = 3
MORE = 30  # connections above the pool size under load
# Seconds after which an idle connection is checked before it is used.
CHECK_AFTER_IDLE_S = 0.5


def green_wait(connection) -> None:
    """Wait for PostgreSQL by ``select``, which eventlet makes green. psycopg2's own wait would block all green threads, including
    the one that holds the lock that is waited for.

    :raises psycopg2.OperationalError: no connection within CONNECT_S; libpq ignores ``connect_timeout`` in asynchronous mode
    """
    deadline = time.monotonic() + CONNECT_S if connection.status == extensions.STATUS_SETUP else None
    while True:
        state = connection.poll()
        if state == extensions.POLL_OK:
            return
        left_s = None if deadline is None else max(0.0, deadline - time.monotonic())
        if left_s == 0:
            raise psycopg2.OperationalError("timeout expired while connecting")
        fd = connection.fileno()
        select.select([fd] if state == extensions.POLL_READ else [], [fd] if state == extensions.POLL_WRITE else [], [], left_s)


class Database:
    """Transactions on one database. ``reader`` and ``writer`` nest: the inner one joins the outer transaction."""

    def __init__(self, service: str, url: str, *, pool_size: int = 20):
        self.service, self.url = service, sa.make_url(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        # Every transaction is ended here, so the pool need not send a ROLLBACK when a connection is returned.
        options: dict = {"pool_reset_on_return": None}
        if self.is_sqlite:
            options["connect_args"] = {"timeout": 20, "check_same_thread": False}
        else:
            options.update(pool_size=pool_size, max_overflow=MORE, pool_recycle=1800, pool_timeout=10, pool_use_lifo=True)
            options["connect_args"] = {"connect_timeout": CONNECT_S, **self._lock_timeout()}
            # READ COMMITTED: a writer that waited for a lock sees what its previous holder committed. MariaDB then takes no gap
            # locks, so that inserts of different rows do not deadlock.
            options["isolation_level"] = "READ COMMITTED"
        self.engine = sa.create_engine(self.url, query_cache_size=QUERIES, json_deserializer=msgspec.json.decode, **options)
        self._local = threading.local()
        self._write_lock = threading.Lock()
        self.after_write: list[typing.Callable[[], None]] = []  # called after each commit of this process
        if self.is_sqlite:
            event.listen(self.engine, "connect", self._sqlite_connect)
            event.listen(self.engine, "begin", self._sqlite_begin)
        else:
            event.listen(self.engine, "checkout", self._check_idle_connection)
            event.listen(self.engine, "checkin", lambda connection, record: record.info.update(used_at=time.monotonic()))
        if self.url.get_backend_name() in ("mysql", "mariadb"):
            event.listen(self.engine, "do_connect", importlib.import_module("common.mariadb").connect)
        counter = metrics.SQL.labels(service)
        event.listen(self.engine, "before_cursor_execute", lambda *a: counter.inc())
        self._errors = {kind: metrics.SQL_ERRORS.labels(service, kind) for kind in db_errors.KINDS}
        event.listen(self.engine, "handle_error", lambda context: self._count(context.sqlalchemy_exception))

    def _count(self, error: Exception | None) -> None:
        if isinstance(error, sa.exc.SQLAlchemyError):
            self._errors[db_errors.kind(error)].inc()

    def _connect(self) -> sa.Connection:
        try:
            return self.engine.connect()
        except sa.exc.TimeoutError as error:  # for connections of the pool, which do not notify listeners
            self._count(error)
            raise

    def _lock_timeout(self) -> dict:
        """Connect arguments: a statement that waits longer than LOCK_WAIT_S for a lock fails, and its unit is retried."""
        if self.url.get_backend_name() == "postgresql":
            extensions.set_wait_callback(green_wait)
            return {"options": f"-c lock_timeout={LOCK_WAIT_S}s"}
        return {"init_command": f"SET SESSION innodb_lock_wait_timeout = {LOCK_WAIT_S}"}

    @staticmethod
    def _sqlite_connect(connection, record):
        connection.isolation_level = None
        for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON", "busy_timeout=20000"):
            connection.execute(f"PRAGMA {pragma}")
        connection.create_function("regexp", 2, regex.found, deterministic=True)

    @staticmethod
    def _sqlite_begin(connection):
        mode = connection.get_execution_options().get("pileus_begin", "DEFERRED")
        connection.connection.driver_connection.execute(f"BEGIN {mode}")

    def _check_idle_connection(self, connection, record, proxy) -> None:
        """Check a connection before it is used. :raises InvalidatePoolError: it is broken; SQLAlchemy then opens new ones"""
        used_at = record.info.get("used_at")  # none: a new connection
        if used_at is None or time.monotonic() - used_at < CHECK_AFTER_IDLE_S:
            return
        try:
            self.engine.dialect.do_ping(connection)
        except self.engine.dialect.loaded_dbapi.Error as error:
            LOG.info("a connection to the database of %s is broken: %s", self.service, error)
            raise sa.exc.InvalidatePoolError() from error

    @contextlib.contextmanager
    def reader(self):
        """A connection in a read transaction, or the enclosing transaction. Writes in a read transaction are rolled back."""
        open_one = getattr(self._local, "connection", None)
        if open_one is not None:
            yield open_one
            return
        with self._connect() as connection:
            connection.begin()  # closing the connection rolls it back
            self._local.connection = connection
            try:
                yield connection
            finally:
                self._local.connection = None

    @contextlib.contextmanager
    def writer(self):
        """A connection in a write transaction: committed at the end, rolled back on an exception."""
        open_one = getattr(self._local, "connection", None)
        if open_one is not None:
            assert writes(open_one), "a read transaction cannot become a write transaction"
            yield open_one
            return
        with self._write_lock if self.is_sqlite else contextlib.nullcontext():
            with self._connect() as connection:
                connection = connection.execution_options(pileus_begin="IMMEDIATE")
                with connection.begin():
                    self._local.connection = connection
                    try:
                        yield connection
                    finally:
                        self._local.connection = None
        units.mark_visible()
        for tell in self.after_write:
            tell()

    def transact(self, work, *args, **kwargs):
        """Run ``work(connection, …)`` in a write transaction that is a unit of work, or in the enclosing transaction."""
        if getattr(self._local, "connection", None) is not None:
            return self._transact_once(work, *args, **kwargs)
        return units.run(self._transact_once, work, *args, **kwargs)

    def _transact_once(self, work, *args, **kwargs):
        with self.writer() as connection:
            return work(connection, *args, **kwargs)

    def ping(self) -> None:
        with self.reader() as connection:
            connection.execute(sa.text("SELECT 1"))


def writes(connection) -> bool:
    """Whether a connection is in a write transaction."""
    return connection.get_execution_options().get("pileus_begin") == "IMMEDIATE"


def one(connection, query) -> dict | None:
    """The first row, or None. In a write transaction a row of a table is locked until it ends, so that no concurrent change is
    lost."""
    if writes(connection) and _is_of_one_table(query):
        query = query.with_for_update(key_share=True)  # other rows may still refer to the row
    found = connection.execute(query)
    row = found.first()
    return dict(zip(_names(found), row)) if row is not None else None


def _is_of_one_table(query) -> bool:
    """Whether a query selects rows of one table. SQLAlchemy's ``get_final_froms`` says it too, but compiles the query for it."""
    if not isinstance(query, sa.Select) or query._group_by_clauses or query._setup_joins:
        return False
    within = (source for condition in query._where_criteria for source in condition._from_objects)
    sources = {*query.columns_clause_froms, *query._from_obj, *within}
    return len(sources) == 1 and isinstance(sources.pop(), sa.Table)


def locks_table(metadata: sa.MetaData) -> sa.Table:
    """The table that ``lock`` needs in each database."""
    return sa.Table("locks", metadata, sa.Column("name", sa.String(255), primary_key=True),
                    sa.Column("turn", sa.BigInteger, nullable=False))


_LOCKS = locks_table(sa.MetaData())
_UPSERT: dict[str, typing.Callable] = {"postgresql": postgresql.insert, "sqlite": sqlite.insert}


def lock(connection, *names: str) -> None:
    """Acquire named locks until the end of the transaction.

    For what row locks cannot protect: counting rows and adding one, or choosing a free value. The lock's row is updated, not only
    locked, so that Galera aborts one of two transactions on different nodes. SQLite has a single writer and needs no locks.
    """
    if connection.dialect.name == "sqlite":
        return
    for name in sorted(set(names)):
        upsert(connection, _LOCKS, [{"name": name, "turn": 0}], {"turn": _LOCKS.c.turn + 1})


def upsert(connection, table: sa.Table, new: list[dict], changed: dict, *returning: sa.Column) -> list[dict]:
    """Insert rows, or change those that are there already, by their primary keys. One statement.

    :param new: in the same order of keys for all who do this, so that they do not wait for each other
    :param changed: {column: value or expression} for a row that is there
    :returns: these columns of all the rows, as they are now
    """
    if connection.dialect.name in _UPSERT:
        query = _UPSERT[connection.dialect.name](table).on_conflict_do_update(index_elements=table.primary_key, set_=changed)
    else:
        query = mysql.insert(table).on_duplicate_key_update(changed)
    done = connection.execute(query.returning(*returning) if returning else query, new)
    return _dicts(done) if returning else []


def many(connection, query) -> list[dict]:
    return _dicts(connection.execute(query))


def _dicts(found: sa.CursorResult) -> list[dict]:
    names = _names(found)
    return [dict(zip(names, row)) for row in found.all()]


def _names(found: sa.CursorResult) -> list[str]:
    """The columns of a result as plain text. SQLAlchemy's names are of a class of its own, with which dictionaries are slow, and
    which msgspec refuses as keys."""
    return [str(name) for name in found.keys()]


def page(query, table, *, sort: list[tuple[str, str]], limit: int, marker_row: dict | None, unique: str = "id"):
    """Add keyset pagination to a query.

    :param sort: [(column, "asc" or "desc")]; duplicates are ignored, and ``unique`` is appended if missing
    :param marker_row: the last row of the previous page, or None
    """
    chosen: dict[str, str] = {}
    for name, direction in sort:
        if name in table.c:
            chosen.setdefault(name, direction)
    chosen.setdefault(unique, list(chosen.values())[-1] if chosen else "asc")
    keys = list(chosen.items())
    if marker_row is not None:
        after: sa.ColumnElement = sa.false()
        for i, (name, direction) in enumerate(keys):
            column, value = table.c[name], marker_row[name]
            if value is None:
                step = column.is_not(None) if direction == "asc" else sa.false()
            elif direction == "asc":
                step = column > value
            else:
                step = sa.or_(column < value, column.is_(None))
            equal = [table.c[n].is_(None) if marker_row[n] is None else table.c[n] == marker_row[n]
                     for n, _ in keys[:i]]
            after = sa.or_(after, sa.and_(*equal, step))
        query = query.where(after)
    query = query.order_by(*[getattr(table.c[n], d)() for n, d in keys])
    return query.limit(limit) if limit else query
