"""Tokens of consoles in the database: single-use, short-lived, and revoked by every action that ends or moves the guest."""

import concurrent.futures
import types

import pytest
import sqlalchemy as sa

from common import context, server_states
from compute_api.console import relay
from conductor.db import console_tokens, machine, models
from tests.compute.test_machine import database, put  # noqa: F401  # a fixture

TABLE = models.console_auth_tokens
CTX = context.Context(user_id="me")
# The guest stays where it is, and can be watched while it restarts.
KEEPING = {"schedule", "build", "spawn", "start", "reboot", "reboot-hard", "pause", "unpause", "resume", "image_snapshot",
           "image_backup", "confirmResize"}


@pytest.fixture
def server(database):  # noqa: F811
    put(database, "active", None)
    with database.writer() as connection:
        connection.execute(sa.update(models.instances).values(host="here"))
        console_tokens.revoke(connection, "u")
    return database


def create(server, ttl_s: int = 600) -> str:
    with server.writer() as connection:
        return console_tokens.create(connection, CTX, "u", "novnc", ttl_s)


def hashes(server) -> list[str]:
    with server.reader() as connection:
        return list(connection.execute(sa.select(TABLE.c.token_hash)).scalars())


def test_a_token_is_redeemed_once_and_only_its_hash_is_kept(server):
    token = create(server)
    assert len(token) >= 43 and len(hashes(server)) == 1 and token not in hashes(server)[0]
    found = server.transact(console_tokens.redeem, token)
    assert (found["instance_uuid"], found["console_type"], found["host"]) == ("u", "novnc", "here")
    assert (found["user_id"], found["request_id"]) == ("me", CTX.request_id)
    assert server.transact(console_tokens.redeem, token) is None and not hashes(server)


def test_of_many_at_once_one_gets_it(server):
    token = create(server)
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda n: server.transact(console_tokens.redeem, token), range(8)))
    assert sum(each is not None for each in found) == 1


def test_who_guesses_a_token_takes_no_write_lock(server):
    """SQLite has one: anybody who reaches the proxy could delay all writers."""
    with concurrent.futures.ThreadPoolExecutor(1) as pool, server.writer():
        assert pool.submit(relay.redeem, types.SimpleNamespace(db=server), "0" * 43).result(10) is None


def test_an_expired_token_opens_nothing_and_goes_with_the_next(server):
    token = create(server, ttl_s=0)
    assert server.transact(console_tokens.redeem, token) is None and len(hashes(server)) == 1
    create(server)
    create(server)
    assert len(hashes(server)) == 2


def test_a_server_without_a_host_has_no_console(server):
    token = create(server)
    with server.writer() as connection:
        connection.execute(sa.update(models.instances).values(host=None))
    assert server.transact(console_tokens.redeem, token) is None


@pytest.mark.parametrize("name", server_states.ACTIONS)
def test_what_each_action_does_to_tokens(server, name):
    create(server)
    action = server_states.ACTIONS[name]
    state = "active" if action.ends is server_states.ANY else min(action.ends)
    task = None if action.task_states is server_states.ANY or None in action.task_states else min(action.task_states)
    put(server, state, task)
    with server.writer() as connection:
        machine.begin(connection, "u", name)
    assert bool(hashes(server)) == (name in KEEPING)
