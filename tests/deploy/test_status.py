"""What ``pileus status`` finds: what is stuck, on which host, and what of that which it waits for does not work."""

import datetime
import json
import types

import pytest
import sqlalchemy as sa

from common import context, db
from compute_agent.rpcapi import AgentAPI as ComputeAgents
from conductor.db import actions, models, operations
from deploy import bus, daemons, prepare, status, stuck
from deploy.audit import Auditor
from deploy.overview import Overview
from network import roles
from network.db import heartbeats
from network.db.models import agents
from tests.compute.services import add_service
from tests.deploy import small_cloud
from tests.deploy.small_cloud import LONG_AGO, UUID
from volume.db.models import volumes

RUNNING = dict.fromkeys(("supervisor", *daemons.DAEMONS), 1)


@pytest.fixture(scope="module")
def state(tmp_path_factory):
    made = str(tmp_path_factory.mktemp("state"))
    prepare.write_config(made, transport_url="fake://", host="here", my_ip="127.0.0.1", driver="fake", offset=20000)
    prepare.sync_databases(made)
    return made


@pytest.fixture(scope="module")
def overview(state):
    made = Overview(state, "tested")
    small_cloud.fill(made)
    with made.database("network").writer() as connection:
        heartbeats.write(connection, {"gone": {"roles": [roles.BRIDGE]}})
    yield made
    made.close()


@pytest.fixture
def found(overview):
    """Stuck servers and volumes by id: found(running={…}, queues=[…], after_s=…)."""
    def look(running=RUNNING, queues=(), after_s=600):
        reasons = stuck.Reasons(overview.agents(), running, list(queues))
        return {one.id: one for work in (stuck.servers, stuck.volumes) for one in work(overview, reasons, after_s)}
    return look


def test_only_what_takes_long_is_stuck(found):
    assert set(found()) == {UUID.format(2), UUID.format(3)}
    assert {one.kind for one in found().values()} == {"server", "volume"}
    assert found(after_s=LONG_AGO.total_seconds() + 600) == {}


def test_a_server_on_a_host_whose_agent_is_dead(found):
    one = found()[UUID.format(2)]
    assert (one.kind, one.host, one.state, one.request_id, one.name) == ("server", "gone", "building/networking", "req-2", "n")
    (why,) = one.why
    assert why.startswith("nova-compute on gone has not reported since ")
    assert f"server {one.id} \"n\": building/networking on gone since " in str(one) and "pileus trace req-2" in str(one)
    assert 7100 < one.as_dict()["for_s"] < 7400


def test_a_queue_without_a_consumer(found):
    one = found(queues=[bus.Queue("compute-agent", "gone", 3, 0), bus.Queue("conductor", "", 7, 1)])[UUID.format(2)]
    assert one.why[1:] == ["the queue compute-agent.gone has no consumer (3 messages waiting)",
                           "the queue conductor has 7 messages waiting"]


def test_a_server_without_a_host(found, overview):
    number = 5
    with overview.database("compute").writer() as connection:
        small_cloud.server(connection, number, "building", "scheduling", host=None, ago=LONG_AGO)
    try:
        one = found(running={**RUNNING, "scheduler": None}, queues=[bus.Queue("scheduler", "", 1, 0)])[UUID.format(number)]
        assert one.host == "" and "without a host" in str(one)
        assert one.why == ["scheduler is not running", "the queue scheduler has no consumer (1 message waiting)"]
        other = found()[UUID.format(number)]
        assert other.why == [] and "everything that it waits for works" in str(other)
    finally:
        with overview.database("compute").writer() as connection:
            connection.execute(sa.delete(models.instances).where(models.instances.c.uuid == UUID.format(number)))


def test_how_far_it_came(found, overview):
    at = db.now().timestamp()
    with overview.database("compute").writer() as connection:
        actions.events(connection, "req-2", UUID.format(2), [
            {"event": "allocate", "host": "gone", "start": at, "finish": at, "result": "Success"},
            {"event": "plug", "host": "gone", "start": at, "result": None}])
    assert found()[UUID.format(2)].last_step.startswith("plug (begun at ")


def test_the_fault_of_a_stuck_volume_is_shown(found, overview):
    with overview.database("volume").writer() as connection:
        small_cloud.volume(connection, 9, "deleting", host="nowhere", ago=LONG_AGO, fault="the target is in use")
    why = found()[UUID.format(9)].why
    with overview.database("volume").writer() as connection:
        connection.execute(sa.delete(volumes).where(volumes.c.id == UUID.format(9)))
    assert why == ["the target is in use", "there is no cinder-volume on nowhere"]
    assert found()[UUID.format(3)].why == [] and found()[UUID.format(3)].host == "here"


def test_the_audit_finds_what_is_sent_again_and_again(state, overview):
    """The conductor writes to a row whenever it sends it anew, which made it look young for ever."""
    auditor = Auditor(state)
    auditor._found = {"compute": {}}
    assert ("server", UUID.format(2), "is stuck in building/networking") in [(f.kind, f.what, f.text) for f in auditor.servers()]
    for database in auditor.dbs.values():
        database.engine.dispose()


def test_operations_say_at_which_step_they_wait_and_for_which_host(found, overview, state):
    number, table = 6, models.operations
    with overview.database("compute").writer() as connection:
        small_cloud.server(connection, number, "active", "resize_migrating", host="here", ago=LONG_AGO)
        ctx = context.Context(request_id="req-6", project_id="p")
        moving = operations.begin(connection, ctx, "migrate", UUID.format(number), 1, {"source": "here", "target": "gone"})
        left = operations.begin(connection, ctx, "remove", UUID.format(7), 0, {"host": "gone"})
        connection.execute(sa.update(table).values(created_at=db.now() - LONG_AGO, step="copy"))
    try:
        one, two = found()[UUID.format(number)], found()[left]
        assert one.state == "active/resize_migrating" and one.why[0] == "operation migrate is at step copy"
        assert one.why[1].startswith("nova-compute on gone has not reported since ")
        assert (two.kind, two.host, two.state) == ("operation", "gone", f"remove of server {UUID.format(7)}")
        assert two.why[0].startswith("nova-compute on gone has not reported since ")
        auditor = Auditor(state)
        assert {f.what: f.text for f in auditor.operations()} == {
            moving: f"migrate of server {UUID.format(number)} on gone, here is stuck at forward copy",
            left: f"remove of server {UUID.format(7)} on gone is stuck at forward copy"}
        for database in auditor.dbs.values():
            database.engine.dispose()
    finally:
        with overview.database("compute").writer() as connection:
            connection.execute(sa.delete(models.instances).where(models.instances.c.uuid == UUID.format(number)))
            connection.execute(sa.delete(table))


def test_the_command_names_all_of_it(state, overview, capsys):
    assert status.main(state) == 1
    text = capsys.readouterr().out
    for part in ("pileus             DOWN", "identity           port 25000: does not respond", "queues: metrics do not respond",
                 "nova-compute on gone: down since", f"server {UUID.format(2)} ",
                 f"volume {UUID.format(3)}: creating on here since "):
        assert part in text, text
    assert status.main(state, as_json=True, after_s=1e6) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["stuck"] == [] and told["queues"] == [] and not told["ok"]
    assert {(a["binary"], a["host"]) for a in told["agents"] if not a["up"]} == {("nova-compute", "gone")}


def test_an_agent_is_up_according_to_its_own_service(overview):
    """A network agent that missed one heartbeat of thirty seconds is not down."""
    def heard(at) -> list[bool]:
        with overview.database("network").writer() as connection:
            connection.execute(sa.update(agents).values(heartbeat_at=at))
        return [agent.up for agent in overview.network()]
    assert all(heard(db.now() - datetime.timedelta(seconds=overview.confs["compute"].service_down_time + 5)))
    assert not any(heard(db.now() - datetime.timedelta(seconds=overview.confs["network"].service_down_time + 5)))
    assert all(heard(db.now()))


def test_the_command_names_the_versions_of_agents_while_some_are_of_another_release(capsys, state, overview):
    newest = ComputeAgents.version
    with overview.database("compute").writer() as connection:
        for number in range(8):
            add_service(connection, "nova-compute", f"new{number}", "nova", newest)
        add_service(connection, "nova-compute", "old", "nova", None)
    status.main(state)
    line = next(x for x in capsys.readouterr().out.splitlines() if "RPC" in x and x.startswith("nova-compute"))
    assert "1.0 on " in line and "old" in line.partition(newest)[0]
    assert line.endswith(f"{newest} on new0, new1, new2, new3, new4 and 3 more; this release has {newest}")
    status.main(state, as_json=True)
    told = json.loads(capsys.readouterr().out)
    assert line in told["versions"] and {a["rpc_version"] for a in told["agents"] if a["host"] == "new0"} == {newest}
    with overview.database("compute").writer() as connection:
        table = models.services
        connection.execute(sa.update(table).where(table.c.binary == "nova-compute").values(rpc_version=newest))
    assert not status.versions(overview.compute().agents)


def test_a_database_that_is_down_hides_nothing_else(state, overview, monkeypatch, capsys):
    def away(self):
        raise sa.exc.OperationalError("SELECT", {}, Exception("no route to host\nmore"))
    monkeypatch.setattr(Overview, "compute", away)
    assert status.main(state) == 1
    text = capsys.readouterr().out
    assert "compute hosts: the database cannot be used: no route to host" in text
    assert f"volume {UUID.format(3)}: creating on here since " in text


def test_depths_are_printed_by_topic(state, overview, monkeypatch, capsys):
    queues = [bus.Queue("scheduler", "", 2, 1), bus.Queue("compute-agent", "a", 4, 0), bus.Queue("compute-agent", "b", 1, 1)]
    monkeypatch.setattr(status, "queues", lambda *words: queues)
    assert status.main(state) == 1
    text = capsys.readouterr().out
    assert "scheduler              2 waiting in 1 queue, 1 taking\n" in text
    assert "compute-agent          5 waiting in 2 queues, 1 taking\n" in text
    assert "queue compute-agent.a: 4 messages waiting without a consumer\n" in text and "queue compute-agent.b" not in text


def test_queues_of_a_single_process_are_read_from_its_metrics(monkeypatch):
    text = """# TYPE pileus_bus_queue_messages gauge
pileus_bus_queue_messages{host="h",topic="compute-agent"} 3.0
# TYPE pileus_bus_queue_consumers gauge
pileus_bus_queue_consumers{host="h",topic="compute-agent"} 1.0
"""

    class Answer:
        def __enter__(self):
            return self

        def __exit__(self, *error):
            pass

        def read(self):
            return text.encode()
    monkeypatch.setattr(status.urllib.request, "urlopen", lambda *words, **more: Answer())
    loaded = types.SimpleNamespace(metrics=types.SimpleNamespace(bind_host="127.0.0.1", port=1))
    assert status.queues(loaded, [], True) == [bus.Queue("compute-agent", "h", 3, 1)]


def test_a_typing_error_in_a_file_hides_nothing_of_the_daemons(tmp_path, capsys):
    state = str(tmp_path)
    prepare.write_config(state, transport_url="fake://", host="here", my_ip="127.0.0.1", driver="fake", offset=20000)
    path = tmp_path / "etc" / "network.conf.d" / "own.conf"
    path.parent.mkdir()
    path.write_text("[network\n")
    assert status.main(state) == 1
    text = capsys.readouterr().out
    assert f"{path}:1: Invalid section (must end with ])" in text and "pileus             DOWN" in text
    assert text.endswith("\nthe cloud is not running; pileus up --driver fake starts it\n")
    assert status.main(state, as_json=True) == 1
    assert json.loads(capsys.readouterr().out)["configuration"] == [f"{path}:1: Invalid section (must end with ])"]
