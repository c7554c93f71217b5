"""The SQL of lists of servers: a constant number of statements, and no columns that the list does not show."""

import types

import pytest
import sqlalchemy as sa

from common import db
from common.calls import Call
from common.context import Context
from common.db import Database
from compute_api.services import server_lists
from conductor.db import models
from tests.compute.services import add_service
from tests.compute.test_guests import ROW

LONG = ("key_data", "posted_password", "requested_networks", "scheduler_hints", "tried_hosts", "rescue_image")
CTX = Context(user_id=ROW["user_id"], project_id=ROW["project_id"])


@pytest.fixture
def lists(tmp_path):
    """A function (list, microversion, number of servers) -> (the answer, the statements that it took)."""
    database = Database("test", f"sqlite:///{tmp_path}/compute.sqlite")
    models.METADATA.create_all(database.engine)
    with database.writer() as connection:
        add_service(connection, "nova-compute", "a")
        connection.execute(sa.insert(models.instances), [
            {**ROW, "uuid": str(n), "display_name": f"server-{n}", "host": "a", "vm_state": "active", "power_state": 1,
             "user_data": "eA==", "created_at": db.now(), "updated_at": db.now()} for n in range(9)])
    svc = types.SimpleNamespace(
        db=database, conf=types.SimpleNamespace(service_down_time=60),
        policy=types.SimpleNamespace(allows=lambda *about: True, check=lambda *about: None, is_admin=lambda ctx: True))

    def ask(kind, version: tuple[int, int], count: int):
        statements: list[str] = []

        def note(connection, cursor, statement, *rest):
            statements.append(statement)
        sa.event.listen(database.engine, "before_cursor_execute", note)
        try:
            return kind(Call(svc, CTX, version), {}, count), statements
        finally:
            sa.event.remove(database.engine, "before_cursor_execute", note)
    yield ask
    database.engine.dispose()


@pytest.mark.parametrize("kind, version, most", [
    (server_lists.brief, (2, 1), 1), (server_lists.detailed, (2, 1), 2), (server_lists.detailed, (2, 85), 3)])
def test_statements_do_not_grow_with_the_servers(lists, kind, version, most):
    for count in (2, 9):
        _, statements = lists(kind, version, count)
        assert len(statements) == most, "\n".join(statements)


def test_a_list_of_names_reads_nothing_else(lists):
    found, (statement,) = lists(server_lists.brief, (2, 85), 9)
    assert {row["display_name"] for row in found} == {f"server-{n}" for n in range(9)}
    assert not [c.name for c in models.instances.c if c.name in statement.partition("FROM")[0] and c.name not in (
        "uuid", "display_name", "created_at")]


@pytest.mark.parametrize("version, shown", [((2, 1), False), ((2, 3), True)])
def test_columns_that_are_not_shown_are_not_read(lists, version, shown):
    (found, _), _ = lists(server_lists.detailed, version, 9)
    assert len(found) == 9
    for row in found:
        assert not set(LONG) & set(row)
        assert ("user_data" in row) == ("image_meta" in row) == shown
