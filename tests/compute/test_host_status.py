"""What is told of the state of a server's host, and to whom."""

import datetime
import types

import pytest
import sqlalchemy as sa

from common import db
from common.context import Context
from common.db import Database
from compute_api import views
from conductor.db import hosts, models

ALL, UNKNOWN = "os_compute_api:servers:show:host_status", "os_compute_api:servers:show:host_status:unknown-only"
ROW = {"project_id": "p", "user_id": "u", "host": "a"}


def request(*rules: str, version=(2, 85)):
    """A request of one to whom these rules are true."""
    def allows(ctx, rule, target) -> bool:
        return rule in rules and target == {"project_id": "p", "user_id": "u"}
    policy = types.SimpleNamespace(allows=allows)
    return types.SimpleNamespace(ctx=Context(), svc=types.SimpleNamespace(policy=policy), version=version)


@pytest.mark.parametrize("rules, status, shown", [
    ((ALL,), "UP", {"host_status": "UP"}), ((ALL,), "UNKNOWN", {"host_status": "UNKNOWN"}),
    ((UNKNOWN,), "UNKNOWN", {"host_status": "UNKNOWN"}), ((UNKNOWN,), "UP", {}), ((UNKNOWN,), "DOWN", {}), ((), "UNKNOWN", {})])
def test_who_may_know_only_that_nothing_is_known_is_told_nothing_else(rules, status, shown):
    assert views._host_status(request(*rules), ROW, {"a": status}) == shown


def test_a_server_without_a_host_has_an_empty_state_and_old_versions_none():
    assert views._host_status(request(ALL), {**ROW, "host": None}, {}) == {"host_status": ""}
    assert views._host_status(request(ALL, version=(2, 15)), ROW, {"a": "UP"}) == {}


def test_states_of_hosts(tmp_path):
    database, c = Database("test", f"sqlite:///{tmp_path}/compute.sqlite"), models.services.c
    models.METADATA.create_all(database.engine)
    long_ago = db.now() - datetime.timedelta(hours=1)
    with database.writer() as connection:
        for name, values in {"up": {}, "silent": {"updated_at": long_ago}, "off": {"disabled": True, "updated_at": long_ago},
                             "forced": {"forced_down": True, "disabled": True}}.items():
            hosts.heartbeat(connection, "nova-compute", name, "nova")
            if values:
                connection.execute(sa.update(models.services).where(c.host == name).values(values))
        hosts.heartbeat(connection, "nova-conductor", "other", "internal")
        assert hosts.statuses(connection, {"up", "silent", "off", "forced", "other", "gone"}, 60) == {
            "up": "UP", "silent": "UNKNOWN", "off": "MAINTENANCE", "forced": "DOWN"}
        assert hosts.statuses(connection, set(), 60) == {}
