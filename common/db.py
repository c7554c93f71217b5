"""Databases: one engine per service, one transaction per unit of work.

SQLite runs in WAL mode with ``BEGIN IMMEDIATE`` for writers, so that two
processes queue instead of failing; inside a process a lock queues writers
first, because a busy wait inside SQLite would stop every green thread.

On servers transactions are READ COMMITTED, and what must not change under a
writer is locked: ``one`` locks the row that it reads for a writer, ``lock``
makes those wait who count or choose among rows. A transaction that the
database gave up is run again with its unit (``common.units``).
"""

import contextlib
import datetime
import importlib
import logging
import select
import threading
import time
import typing

import psycopg2
import sqlalchemy as sa
from psycopg2 import extensions
from sqlalchemy import event
from sqlalchemy.dialects import mysql, postgresql

from common import db_errors, metrics, regex, units

LOG = logging.getLogger(__name__)
NAMING = {"ix": "ix_%(column_0_N_label)s", "uq": "uq_%(table_name)s_%(column_0_N_name)s",
          "fk": "fk_%(table_name)s_%(column_0_N_name)s", "pk": "pk_%(table_name)s"}

# A point in time, with microseconds everywhere; MySQL keeps seconds unless told.
MOMENT = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")


def now() -> datetime.datetime:
    """UTC without zone, as every column stores it."""
    return datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None)


def epoch(moment: datetime.datetime) -> float:
    """Seconds since 1970 of a stored time."""
    return moment.replace(tzinfo=datetime.timezone.utc).timestamp()


def iso(moment: datetime.datetime | None, *, zulu: bool = True, micro: bool = False) -> str | None:
    if moment is None:
        return None
    return moment.isoformat(timespec="microseconds" if micro else "seconds") + ("Z" if zulu else "")


# Compiled statements that each engine keeps; the least used go first. SQLAlchemy's own 500 are much for small daemons.
QUERIES = 150
LOCK_WAIT_S = 10
CONNECT_S = 3
MORE = 30  # connections that a process makes under load beside those that it keeps, and gives up again
# A connection that was used within this time is taken for alive; after more, the database is asked before it is used.
TRUSTED_S = 0.5


def wait_as_others_do(connection) -> None:
    """Wait for PostgreSQL by ``select``, which eventlet makes green: psycopg2's own wait would stop every green thread,
    also the one that holds the lock that is waited for.

    :raises psycopg2.OperationalError: no connection in CONNECT_S; libpq ignores ``connect_timeout`` when it is waited for so
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
    """Transactions on one database. ``reader`` and ``writer`` nest: the inner joins the outer."""

    def __init__(self, service: str, url: str, *, pool_size: int = 20):
        self.service, self.url = service, sa.make_url(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        # Transactions are ended here in every case, so the pool need not send a ROLLBACK after each.
        options: dict = {"pool_reset_on_return": None}
        if self.is_sqlite:
            options["connect_args"] = {"timeout": 20, "check_same_thread": False}
        else:
            options.update(pool_size=pool_size, max_overflow=MORE, pool_recycle=1800, pool_timeout=10, pool_use_lifo=True)
            options["connect_args"] = {"connect_timeout": CONNECT_S, **self._lock_timeout()}
            # What a writer reads after it got a lock is what the lock's last holder left. On MariaDB there are no gap
            # locks either, so inserts of unlike rows do not deadlock.
            options["isolation_level"] = "READ COMMITTED"
        self.engine = sa.create_engine(self.url, query_cache_size=QUERIES, **options)
        self._local = threading.local()
        self._write_lock = threading.Lock()
        self.after_write: list[typing.Callable[[], None]] = []  # called after each commit of this process
        if self.is_sqlite:
            event.listen(self.engine, "connect", self._sqlite_connect)
            event.listen(self.engine, "begin", self._sqlite_begin)
        else:
            event.listen(self.engine, "checkout", self._ask_if_alive)
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
        except sa.exc.TimeoutError as error:  # of the pool, which tells no listener
            self._count(error)
            raise

    def _lock_timeout(self) -> dict:
        """Connect arguments: who waits longer for a row than LOCK_WAIT_S gives up and is run again."""
        if self.url.get_backend_name() == "postgresql":
            extensions.set_wait_callback(wait_as_others_do)
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

    def _ask_if_alive(self, connection, record, proxy) -> None:
        """Before a connection is used. :raises InvalidatePoolError: it is broken; SQLAlchemy then makes others"""
        used_at = record.info.get("used_at")  # none: it is new
        if used_at is None or time.monotonic() - used_at < TRUSTED_S:
            return
        try:
            self.engine.dialect.do_ping(connection)
        except self.engine.dialect.loaded_dbapi.Error as error:
            LOG.info("a connection to the database of %s is broken: %s", self.service, error)
            raise sa.exc.InvalidatePoolError() from error

    @contextlib.contextmanager
    def reader(self):
        """A connection in a read transaction, or the enclosing transaction. What is written in a read transaction is lost."""
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
        """A connection in a write transaction: committed at the end, rolled back by an exception."""
        open_one = getattr(self._local, "connection", None)
        if open_one is not None:
            assert writes(open_one), "a transaction that began as a reader's is no writer's"
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
        """Run ``work(connection, …)`` in a write transaction that is a unit, or in the enclosing transaction."""
        if getattr(self._local, "connection", None) is not None:
            return self._once(work, *args, **kwargs)
        return units.run(self._once, work, *args, **kwargs)

    def _once(self, work, *args, **kwargs):
        with self.writer() as connection:
            return work(connection, *args, **kwargs)

    def ping(self) -> None:
        with self.reader() as connection:
            connection.execute(sa.text("SELECT 1"))


def writes(connection) -> bool:
    """Whether a connection is in a write transaction."""
    return connection.get_execution_options().get("pileus_begin") == "IMMEDIATE"


def one(connection, query) -> dict | None:
    """The first row, or None. In a write transaction it is locked until that ends, where it is a table's own row: who
    reads it to check or change it writes what he has seen, and no other's change is lost."""
    if writes(connection) and isinstance(query, sa.Select) and not query._group_by_clauses:
        sources = query.get_final_froms()
        if len(sources) == 1 and isinstance(sources[0], sa.Table):
            query = query.with_for_update(key_share=True)  # others may still refer to the row
    row = connection.execute(query).mappings().first()
    return dict(row) if row is not None else None


def locks_table(metadata: sa.MetaData) -> sa.Table:
    """The table that ``lock`` needs in each database."""
    return sa.Table("locks", metadata, sa.Column("name", sa.String(255), primary_key=True),
                    sa.Column("turn", sa.BigInteger, nullable=False))


_LOCKS = locks_table(sa.MetaData())


def lock(connection, *names: str) -> None:
    """Wait until nobody else holds one of these names, and hold them to the transaction's end.

    For what no row's lock can guard: to count rows and add one, to choose what no row has yet. The name's row is written
    rather than only locked, so that of two transactions on two Galera nodes one is refused. SQLite has one writer at a time.
    """
    if connection.dialect.name == "sqlite":
        return
    for name in sorted(set(names)):
        if connection.dialect.name == "postgresql":
            row = postgresql.insert(_LOCKS).values(name=name, turn=0)
            connection.execute(row.on_conflict_do_update(index_elements=["name"], set_={"turn": _LOCKS.c.turn + 1}))
        else:
            connection.execute(mysql.insert(_LOCKS).values(name=name, turn=0).on_duplicate_key_update(turn=_LOCKS.c.turn + 1))


def many(connection, query) -> list[dict]:
    return [dict(r) for r in connection.execute(query).mappings()]


def page(query, table, *, sort: list[tuple[str, str]], limit: int, marker_row: dict | None, unique: str = "id"):
    """Add keyset paging to a query.

    :param sort: [(column, "asc" or "desc")], of which each column counts once; ``unique`` is appended where absent
    :param marker_row: the last row of the page before, or None
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
