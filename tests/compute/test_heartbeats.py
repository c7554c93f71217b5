"""Heartbeats of compute hosts: written for many at once, and one that was lost is noticed by its number."""

import contextlib
import types

import pytest
import sqlalchemy as sa
from sqlalchemy import event

from common import errors, server_states
from common.db import Database
from conductor.db import heartbeats, hosts, models
from conductor.manager import Manager

RESOURCES = {"hypervisor_hostname": "n", "vcpus": 4, "memory_mb": 1000, "local_gb": 10, "facts": {"arch": "x86_64"}}


@pytest.fixture
def conductor(tmp_path):
    database = Database("compute", f"sqlite:///{tmp_path}/c.sqlite")
    models.METADATA.create_all(database.engine)
    asked: list[str] = []
    service = types.SimpleNamespace(
        db=database, conf=types.SimpleNamespace(compute=types.SimpleNamespace(default_availability_zone="nova")),
        agents=types.SimpleNamespace(report_all=lambda ctx, host: asked.append(host)), asked=asked)
    made = Manager(service)
    made.heartbeats.interval_s = 0
    yield made
    database.engine.dispose()


@contextlib.contextmanager
def statements(database):
    found: list[str] = []

    def note(connection, cursor, statement, *rest):
        found.append(statement)
    event.listen(database.engine, "before_cursor_execute", note)
    yield found
    event.remove(database.engine, "before_cursor_execute", note)


def beat(manager, host: str, sequence: int | None = None, powers: dict | None = None, **resources) -> None:
    manager.heartbeat(None, host, {**RESOURCES, **resources}, powers or {}, "1.1", sequence)


def test_heartbeats_of_1_host_and_of_50_cost_the_same_statements(conductor):
    counts = []
    for size in (1, 50):
        for number in (1, 2):
            reports = {}
            conductor.heartbeats._write = reports.update
            for host in range(size):
                beat(conductor, f"h{host}", number)
            with statements(conductor.service.db) as found:
                conductor._write_heartbeats(reports)
        counts.append(len(found))
    assert counts[0] == counts[1] == 2


def test_only_what_changed_is_written(conductor):
    beat(conductor, "h", 1)
    beat(conductor, "h", 2, vcpus=8)
    with conductor.service.db.reader() as connection:
        node = hosts.all_nodes(connection)[0]
    assert node["vcpus"] == 8
    with statements(conductor.service.db) as found:
        beat(conductor, "h", 3, vcpus=8)
    assert not any("UPDATE compute_nodes" in s for s in found)


@pytest.mark.parametrize(("numbers", "asked"), [
    ((1, 2, 3), 0), ((1, 3), 1), ((1, 3, 4), 1), ((1, 2, 1, 2), 0), ((1, 2, 2), 1), ((5,), 0), ((5, 6, 8), 1),
    ((None, None), 0), ((3, None, 4), 1)])
def test_a_heartbeat_that_was_lost_has_all_guests_reported(conductor, numbers, asked):
    """Not after a restart of the agent, which counts from 1 and reports all guests first."""
    for number in numbers:
        beat(conductor, "h", number)
    assert conductor.service.asked == ["h"] * asked


def test_heartbeats_that_are_written_together_are_none_that_was_lost(conductor):
    conductor.heartbeats._write = lambda found: None
    conductor.heartbeats.interval_s = 60
    for number in (1, 2, 3):
        beat(conductor, "h", number)
    waiting = conductor.heartbeats._waiting["h"]
    assert (waiting.first, waiting.last) == (2, 3) and waiting.follows(1) and not waiting.follows(0)
    beat(conductor, "h", 5)
    assert not conductor.heartbeats._waiting["h"].follows(1)


def test_a_report_that_cannot_be_written_makes_no_other_host_look_down(conductor):
    reports: dict = {}
    conductor.heartbeats._write = reports.update
    beat(conductor, "good", 1)
    beat(conductor, "bad", 1, facts={"x": object})
    conductor._write_heartbeats(reports)
    with conductor.service.db.reader() as connection:
        assert list(connection.execute(sa.select(models.services.c.host)).scalars()) == ["good"]


def test_a_host_that_cannot_be_asked_costs_nothing_else(conductor):
    def away(ctx, host):
        raise errors.ServiceUnavailable(part="the message bus")
    conductor.service.agents.report_all = away
    beat(conductor, "h", 1)
    beat(conductor, "h", 5)
    with conductor.service.db.reader() as connection:
        assert connection.execute(sa.select(models.services.c.report_sequence)).scalar() == 5


def test_a_state_that_is_known_is_not_written_again(conductor):
    with conductor.service.db.writer() as connection:
        connection.exec_driver_sql("PRAGMA foreign_keys=OFF")
    with statements(conductor.service.db) as found:
        beat(conductor, "h", 1, {"unknown": server_states.RUNNING})
    assert not any("UPDATE instances" in s for s in found)


def test_hosts_that_do_not_count_are_written_too(conductor):
    """PostgreSQL takes a CASE of which every value is NULL for a text, and does not write that into a number."""
    beat(conductor, "h")
    with statements(conductor.service.db) as found:
        beat(conductor, "h")
    assert any("report_sequence=CAST(CASE" in s for s in found)


def test_what_an_operator_says_after_a_heartbeat_was_read_holds(conductor):
    """As when both happen at once: the heartbeat has read the reason that the host had until then."""
    beat(conductor, "h", facts={"arch": "x86_64", "unusable": True})
    with conductor.service.db.writer() as connection:
        read = hosts.lock_service(connection, "h")
        connection.execute(models.services.update().values(disabled_reason="a disk is replaced"))
        heartbeats._disable(connection, "h", {}, read)
        now = hosts.lock_service(connection, "h")
    assert read["disabled_reason"].startswith(heartbeats.AUTO)
    assert (now["disabled"], now["disabled_reason"]) == (True, "a disk is replaced")
