"""Databases: one engine per service, one transaction per unit of work.

SQLite runs in WAL mode with ``BEGIN IMMEDIATE`` for writers, so that two
processes queue instead of failing; inside a process a lock queues writers
first, because a busy wait inside SQLite would stop every green thread.
"""

import contextlib
import datetime
import logging
import random
import select
import threading
import time
import typing

import sqlalchemy as sa
from psycopg2 import extensions
from sqlalchemy import event
from sqlalchemy.dialects import mysql

from common import metrics, regex

LOG = logging.getLogger(__name__)
NAMING = {"ix": "ix_%(column_0_N_label)s", "uq": "uq_%(table_name)s_%(column_0_N_name)s",
          "fk": "fk_%(table_name)s_%(column_0_N_name)s", "pk": "pk_%(table_name)s"}

# A point in time, with microseconds everywhere; MySQL keeps seconds unless told.
MOMENT = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")


def now() -> datetime.datetime:
    """UTC without zone, as every column stores it."""
    return datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None)


def iso(moment: datetime.datetime | None, *, zulu: bool = True, micro: bool = False) -> str | None:
    if moment is None:
        return None
    return moment.isoformat(timespec="microseconds" if micro else "seconds") + ("Z" if zulu else "")


# Compiled statements that each engine keeps; the least used go first. SQLAlchemy's own 500 are much for small daemons.
QUERIES = 150


def wait_as_others_do(connection) -> None:
    """Wait for PostgreSQL by ``select``, which eventlet makes green: psycopg2's own wait would stop every green thread,
    also the one that holds the lock that is waited for."""
    while True:
        state = connection.poll()
        if state == extensions.POLL_OK:
            return
        fd = connection.fileno()
        select.select([fd] if state == extensions.POLL_READ else [], [fd] if state == extensions.POLL_WRITE else [], [])


class Database:
    """Transactions on one database. ``reader`` and ``writer`` nest: the inner joins the outer."""

    def __init__(self, service: str, url: str, *, pool_size: int = 10):
        self.service, self.url = service, sa.make_url(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        options: dict = {"pool_pre_ping": not self.is_sqlite}
        if self.url.get_backend_name() == "postgresql":
            extensions.set_wait_callback(wait_as_others_do)
        if self.is_sqlite:
            options["connect_args"] = {"timeout": 20, "check_same_thread": False}
        else:
            options.update(pool_size=pool_size, max_overflow=pool_size * 4, pool_recycle=1800, pool_timeout=10)
            options["connect_args"] = {"connect_timeout": 3}
            if self.url.get_backend_name() in ("mysql", "mariadb"):
                # READ COMMITTED: no gap locks, so inserts of unlike rows never deadlock.
                options["isolation_level"] = "READ COMMITTED"
        self.engine = sa.create_engine(self.url, query_cache_size=QUERIES, **options)
        self._local = threading.local()
        self._write_lock = threading.Lock()
        self.after_write: list[typing.Callable[[], None]] = []  # called after each commit of this process
        if self.is_sqlite:
            event.listen(self.engine, "connect", self._sqlite_connect)
            event.listen(self.engine, "begin", self._sqlite_begin)
        counter = metrics.SQL.labels(service)
        event.listen(self.engine, "before_cursor_execute", lambda *a: counter.inc())

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

    @contextlib.contextmanager
    def reader(self):
        """A connection in a read transaction, or the enclosing transaction."""
        open_one = getattr(self._local, "connection", None)
        if open_one is not None:
            yield open_one
            return
        with self.engine.connect() as connection, connection.begin():
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
            yield open_one
            return
        with self._write_lock if self.is_sqlite else contextlib.nullcontext():
            with self.engine.connect() as connection:
                connection = connection.execution_options(pileus_begin="IMMEDIATE")
                with connection.begin():
                    self._local.connection = connection
                    try:
                        yield connection
                    finally:
                        self._local.connection = None
        for tell in self.after_write:
            tell()

    def transact(self, work, *args, **kwargs):
        """Run ``work(connection, …)`` in a write transaction, again when the database chose it as a victim."""
        for attempt in range(8):
            try:
                with self.writer() as connection:
                    return work(connection, *args, **kwargs)
            except sa.exc.OperationalError as error:
                code = error.orig.args[0] if error.orig is not None and error.orig.args else None
                if code not in (1205, 1213) and "deadlock" not in str(error).lower() or attempt == 7:
                    raise
                time.sleep(random.uniform(0.005, 0.02) * 2 ** attempt)
        raise AssertionError("unreachable")

    def ping(self) -> None:
        with self.reader() as connection:
            connection.execute(sa.text("SELECT 1"))


def one(connection, query) -> dict | None:
    row = connection.execute(query).mappings().first()
    return dict(row) if row is not None else None


def many(connection, query) -> list[dict]:
    return [dict(r) for r in connection.execute(query).mappings()]


def page(query, table, *, sort: list[tuple[str, str]], limit: int, marker_row: dict | None, unique: str = "id"):
    """Add keyset paging to a query.

    :param sort: [(column, "asc" or "desc")]; ``unique`` is appended where absent
    :param marker_row: the last row of the page before, or None
    """
    keys = [k for k in sort if k[0] in table.c]
    if unique not in [k for k, _ in keys]:
        keys.append((unique, keys[-1][1] if keys else "asc"))
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
