"""Connections to databases."""

import socket
import time
import types

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import mysql

from common import db, db_errors, mariadb
from tests import databases


@pytest.mark.alone
def test_connecting_to_an_unresponsive_postgresql_host_times_out(monkeypatch):
    monkeypatch.setattr(db, "CONNECT_S", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        engine = db.Database("test", f"postgresql+psycopg2://u:p@127.0.0.1:{port}/x").engine
        began = time.monotonic()
        with pytest.raises(sa.exc.OperationalError, match="timeout expired"):
            engine.connect()
        assert time.monotonic() - began < 3


@pytest.fixture(scope="module")
def server():
    with databases.running(databases.MariaDB()) as made:
        yield made


@pytest.fixture
def database(server):
    made = db.Database("test", f"{server.url}compute", pool_size=1)
    yield made
    made.engine.dispose()


def connection_id(database) -> int:
    with database.reader() as connection:
        return connection.execute(sa.text("SELECT CONNECTION_ID()")).scalar()


def test_a_connection_that_broke_while_it_was_not_used_is_replaced(server, database, monkeypatch):
    monkeypatch.setattr(db, "CHECK_AFTER_IDLE_S", 0)
    first = connection_id(database)
    assert connection_id(database) == first
    server.sql(f"KILL {first}")
    assert connection_id(database) > first


def test_transactions_end_whether_the_pool_resets_connections_or_not(server, database):
    """One connection in turn: what was not committed is gone, and no lock is held on."""
    server.sql("CREATE TABLE pileus_compute.marks (mark INT PRIMARY KEY) ENGINE=InnoDB")
    with pytest.raises(ZeroDivisionError), database.writer() as connection:
        connection.execute(sa.text("INSERT INTO marks VALUES (1)"))
        raise ZeroDivisionError
    with database.reader() as connection:
        connection.execute(sa.text("INSERT INTO marks VALUES (2)"))  # no caller does; it is lost
    with database.writer() as connection:
        connection.execute(sa.text("INSERT INTO marks VALUES (3)"))
    with database.reader() as connection:
        assert connection.execute(sa.text("SELECT mark FROM marks")).scalars().all() == [3]
    server.sql("SET SESSION lock_wait_timeout = 2; ALTER TABLE pileus_compute.marks ADD COLUMN x INT")


def test_connections_share_a_tls_context_unless_certificates_are_configured():
    plain, other, checked = (mariadb.Connection(defer_connect=True, **more) for more in ({}, {}, {"ssl_verify_cert": True}))
    assert plain.ctx is other.ctx
    assert checked.ctx is not plain.ctx and checked.ctx.verify_mode.name == "CERT_REQUIRED"


_THINGS, _OTHERS = (sa.Table(name, sa.MetaData(), sa.Column("id", sa.Integer, primary_key=True), sa.Column("of", sa.Integer))
                    for name in ("things", "others"))


@pytest.mark.parametrize("query, locked", [
    (sa.select(_THINGS), True), (sa.select(_THINGS.c.id).where(_THINGS.c.of == 1).limit(1), True),
    (sa.select(sa.literal(1)).select_from(_THINGS), True), (sa.select(_THINGS).where(sa.exists().where(_OTHERS.c.of == 1)), True),
    (sa.select(_THINGS).where(_THINGS.c.of.in_(sa.select(_OTHERS.c.id))), True),
    (sa.select(_THINGS).where(_THINGS.c.of == _OTHERS.c.id), False), (sa.select(_THINGS, _OTHERS), False),
    (sa.select(_THINGS).join(_OTHERS, _OTHERS.c.id == _THINGS.c.of), False), (sa.select(_THINGS.alias()), False),
    (sa.select(_THINGS).select_from(_THINGS.join(_OTHERS, _OTHERS.c.id == _THINGS.c.of)), False),
    (sa.select(sa.select(_THINGS).subquery()), False), (sa.select(_THINGS.c.of).group_by(_THINGS.c.of), False),
    (sa.union_all(sa.select(_THINGS), sa.select(_OTHERS)), False), (sa.text("SELECT 1"), False)])
def test_a_writer_locks_what_it_reads_of_one_table(query, locked):
    """By the statement that is sent: SQLite, which has no such locks, would not show it."""
    sent = []

    class Connection:
        @staticmethod
        def get_execution_options():
            return {"pileus_begin": "IMMEDIATE"}

        @staticmethod
        def execute(statement):
            sent.append(str(statement.compile(dialect=mysql.dialect())))
            return types.SimpleNamespace(first=lambda: None)
    assert db.one(Connection, query) is None
    assert ("FOR UPDATE" in sent[0]) == locked


def test_a_full_database_is_not_called_away():
    engine = sa.create_engine("sqlite://")
    with engine.connect() as connection:
        connection.exec_driver_sql("CREATE TABLE t (x)")
        connection.exec_driver_sql("PRAGMA max_page_count = 3")
        with pytest.raises(sa.exc.OperationalError) as full:
            connection.exec_driver_sql("INSERT INTO t VALUES (zeroblob(900000))")
    assert str(db_errors.translate(full.value)).startswith("The database of this service has no space left.")
