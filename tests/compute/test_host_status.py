"""What is told of the state of a server's host, and to whom."""

import datetime
import types

import pytest
import sqlalchemy as sa

from common import db
from common.context import Context
from common.db import Database
from compute_api.viewer import ALL_STATES, UNKNOWN_STATE, Viewer
from conductor.db import hosts, models
from tests.compute.services import add_service

ROW = {"project_id": "p", "user_id": "u", "host": "a"}


def told(rules: tuple, status: str, row: dict = ROW, *, version=(2, 85)) -> str | None:
    """What one is told to whom these rules are true."""
    def allows(ctx, rule, target) -> bool:
        return rule in rules and target == {"project_id": "p", "user_id": "u"}
    svc = types.SimpleNamespace(policy=types.SimpleNamespace(allows=allows), conf=types.SimpleNamespace(service_down_time=60))
    viewer = Viewer(types.SimpleNamespace(ctx=Context(), svc=svc, version=version), None, [])
    viewer.statuses = {"a": status}
    return viewer.host_status(row)


@pytest.mark.parametrize("rules, status, shown", [
    ((ALL_STATES,), "UP", "UP"), ((ALL_STATES,), "UNKNOWN", "UNKNOWN"), ((UNKNOWN_STATE,), "UNKNOWN", "UNKNOWN"),
    ((UNKNOWN_STATE,), "UP", None), ((UNKNOWN_STATE,), "DOWN", None), ((), "UNKNOWN", None)])
def test_who_may_know_only_that_nothing_is_known_is_told_nothing_else(rules, status, shown):
    assert told(rules, status) == shown


def test_a_server_without_a_host_has_an_empty_state_and_old_versions_none():
    assert told((ALL_STATES,), "UP", {**ROW, "host": None}) == "" and told((ALL_STATES,), "UP", version=(2, 15)) is None


def test_states_of_hosts(tmp_path):
    database, c = Database("test", f"sqlite:///{tmp_path}/compute.sqlite"), models.services.c
    models.METADATA.create_all(database.engine)
    long_ago = db.now() - datetime.timedelta(hours=1)
    with database.writer() as connection:
        for name, values in {"up": {}, "silent": {"updated_at": long_ago}, "off": {"disabled": True, "updated_at": long_ago},
                             "forced": {"forced_down": True, "disabled": True}}.items():
            add_service(connection, "nova-compute", name, "nova")
            if values:
                connection.execute(sa.update(models.services).where(c.host == name).values(values))
        add_service(connection, "nova-conductor", "other", "internal")
        assert hosts.statuses(connection, {"up", "silent", "off", "forced", "other", "gone"}, 60) == {
            "up": "UP", "silent": "UNKNOWN", "off": "MAINTENANCE", "forced": "DOWN", "other": "",
            "gone": ""}
        assert hosts.statuses(connection, set(), 60) == {}
