"""Units of work: what runs again, how often, and what never does."""

import types

import pymysql
import pytest
import sqlalchemy as sa

from common import context, db, errors, interface, rpc, units, wsgi

DEADLOCK = sa.exc.OperationalError("UPDATE", {}, pymysql.err.OperationalError(1213, "Deadlock found"))


@pytest.fixture
def database(tmp_path):
    made = db.Database("test", f"sqlite:///{tmp_path}/x.sqlite")
    with made.writer() as connection:
        connection.execute(sa.text("CREATE TABLE t (n INTEGER PRIMARY KEY)"))
    return made


def failing(times: int, error: Exception):
    """A function that fails so often, and the list of its calls."""
    calls = []

    def work(connection=None):
        calls.append(connection)
        if connection is not None:
            connection.execute(sa.text("INSERT INTO t VALUES (1)"))
        if len(calls) <= times:
            raise error
        return "done"
    return work, calls


@pytest.mark.parametrize("error", [DEADLOCK, units.RetryUnit()])
def test_a_victim_runs_again_and_leaves_nothing_of_the_first_time(database, error):
    work, calls = failing(3, error)
    assert database.transact(work) == "done"
    assert len(calls) == 4
    with database.reader() as connection:
        assert connection.execute(sa.text("SELECT count(*) FROM t")).scalar() == 1


def test_what_loses_each_time_is_a_conflict(monkeypatch):
    monkeypatch.setattr(units.time, "sleep", lambda seconds: None)
    work, calls = failing(1000, units.RetryUnit())
    with pytest.raises(errors.Conflict):
        units.run(work)
    assert len(calls) == units.TRIES


@pytest.mark.parametrize("error", [errors.Conflict("no"), ValueError(), sa.exc.OperationalError(
    "SELECT", {}, pymysql.err.OperationalError(2013, "Lost connection"))])
def test_other_errors_are_not_repeated(error):
    work, calls = failing(1, error)
    with pytest.raises(type(error)):
        units.run(work)
    assert len(calls) == 1


def test_nothing_runs_again_after_what_others_can_see(database):
    calls = []

    @units.unit
    def work():
        calls.append(1)
        with database.writer() as connection:
            connection.execute(sa.text("INSERT INTO t VALUES (2)"))
        raise DEADLOCK
    with pytest.raises(sa.exc.OperationalError):
        work()
    assert len(calls) == 1


def test_a_unit_within_a_unit_repeats_itself_alone(database):
    inner, calls = failing(2, DEADLOCK)
    outer = []

    @units.unit
    def work():
        outer.append(1)
        units.mark_visible()
        return database.transact(inner)
    assert (work(), len(outer), len(calls)) == ("done", 1, 3)


def test_a_unit_within_a_transaction_leaves_the_repetition_to_it(database):
    calls = []

    def inner(connection):
        calls.append("inner")
        if len(calls) < 4:
            raise DEADLOCK

    def outer(connection):
        calls.append("outer")
        database.transact(inner)
    database.transact(outer)
    assert calls == ["outer", "inner"] * 2


def test_a_refused_row_is_selected_again(database):
    """Check, then insert: who lost the race finds the row the second time."""
    found = []

    def work(connection):
        if found:
            return "there"
        found.append(1)
        connection.execute(sa.text("INSERT INTO t VALUES (3)"))
        return connection.execute(sa.text("INSERT INTO t VALUES (3)"))
    assert database.transact(work) == "there"


def test_a_reader_does_not_become_a_writer(database):
    with database.reader(), pytest.raises(AssertionError):
        with database.writer():
            pass


def test_a_request_whose_transaction_was_aborted_succeeds(database):
    """With its body, and without what the first time had noted."""
    seen = []

    @wsgi.body({"type": "object"})
    def handler(req, body):
        with database.writer() as connection:
            connection.execute(sa.text("INSERT INTO t VALUES (4)"))
            seen.append((body, req.environ.get("pileus.noted")))
            req.environ["pileus.noted"] = True
            if len(seen) < 3:
                raise DEADLOCK
        return {}
    service = types.SimpleNamespace(conf=types.SimpleNamespace(max_body_bytes=1000))
    app = wsgi.Application("test", service, [wsgi.Route("POST", "/", handler)])
    answer = wsgi.Request.blank("/", method="POST", json={"a": 1}).get_response(app)
    assert answer.status_int == 200 and seen == [({"a": 1}, None)] * 3
    with database.reader() as connection:
        assert connection.execute(sa.text("SELECT count(*) FROM t")).scalar() == 1


def test_an_rpc_call_whose_transaction_was_aborted_is_repeated(database):
    calls = []

    class Worker(rpc.Client):
        @interface.call(timeout_s=1)
        def work(self, ctx, n: int) -> str:
            ...

    class Endpoint:
        @staticmethod
        def work(ctx, n):
            calls.append(n)
            with database.writer() as connection:
                connection.execute(sa.text("INSERT INTO t VALUES (5)"))
                if len(calls) < 3:
                    raise DEADLOCK
            return "done"
    dispatcher = rpc.Dispatcher(Endpoint(), Worker, None)
    assert dispatcher._do_dispatch(Endpoint(), "work", context.service_context().as_dict(), {"n": 1}) == "done"
    assert calls == [1] * 3
