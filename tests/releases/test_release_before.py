"""Messages and journals that the release before really sent and wrote (see ``record.py``) are read, and it reads ours."""

import json
import pathlib
import types

import pytest
import sqlalchemy as sa

from common import context, db
from common.messages import parse_version
from common.tasks import Engine, Journal
from compute_agent import service as compute_service
from conductor.db import instances, models
from conductor.manager import Manager as ConductorManager
from conductor.rpcapi import ConductorAPI
from tests.architecture.test_rpc import interfaces
from tests.bus import Direct
from tests.compute.test_guests import ROW
from tests.histories import api
from tests.histories.test_crashes import build
from tests.histories.world import Place

RELEASE = "1.0"
RECORDED = [json.loads(line) for line in pathlib.Path(__file__).with_name(f"{RELEASE}.jsonl").read_text().splitlines()]
MESSAGES = [m for m in RECORDED if "topic" in m]
JOURNALS = [m["journal"] for m in RECORDED if "journal" in m]
INTERFACES = {c.topic: c for c in interfaces()}
EVERY_MESSAGE = pytest.mark.parametrize("message", MESSAGES, ids=lambda m: f"{m['topic']}-{m['method']}")
# Fields of rows that the release's agents got and never read.
UNREAD = {"user_id", "description", "disk_gb", "tags", "scheduler_hints", "server_group_id", "fault", "locked", "access_ip_v4",
          "access_ip_v6", "disk_config", "posted_password", "locked_reason", "requested_host", "request_id", "launched_at",
          "created_at", "updated_at"}


def method_of(message: dict):
    return INTERFACES[message["topic"]].methods[message["method"]]


def within(part, whole) -> bool:
    """Whether everything in ``part`` is in ``whole``, which may have fields more."""
    if isinstance(part, dict):
        return all(name in whole and within(value, whole[name]) for name, value in part.items())
    if isinstance(part, list):
        return len(part) == len(whole) and all(map(within, part, whole))
    return part == whole


def test_most_of_the_interfaces_was_recorded():
    recorded = {(m["topic"], m["method"]) for m in MESSAGES}
    known = [c for c in INTERFACES.values() if c.topic in {topic for topic, _ in recorded}]
    first = {(c.topic, name) for c in known for name, m in c.methods.items() if m.since == (1, 0)}
    rare = {("conductor", "report_power"), ("compute-agent", "inventory"), ("compute-agent", "reconcile"),
            ("network-agent", "inventory"), ("volume-agent", "inventory")}
    assert first - recorded <= rare
    assert recorded <= first
    assert {r["task"] for r in JOURNALS} >= {"build", "terminate", "attach_volume", "detach_volume", "image_snapshot",
                                             "create-volume", "delete-volume"}


@EVERY_MESSAGE
def test_its_messages_are_understood(message):
    method = method_of(message)
    read = method.read(message["arguments"])
    assert within(message["arguments"], read)
    assert set(read) == set(method.message_names)


@EVERY_MESSAGE
def test_its_answers_are_understood(message):
    method = method_of(message)
    if message["kind"] == method.kind:
        method.result(message["result"])
    else:
        # A call of what is a cast by now is answered all the same, with None.
        assert (message["kind"], method.kind, message["method"]) in {
            ("cast", "call", "progress"), ("cast", "call", "finish"), ("call", "cast", "build")}


@EVERY_MESSAGE
def test_messages_to_it_have_the_arguments_that_it_knows(message):
    """Its methods take the arguments by name, and no other."""
    method = method_of(message)
    sent = method.message(method.read(message["arguments"]), parse_version(RELEASE))
    assert set(sent) == set(message["arguments"])
    assert sent == message["arguments"]


def test_its_agents_get_of_a_server_all_that_they_read():
    for message in MESSAGES:
        if message["method"] in ("begin_build", "get_instance") and message["result"]:
            answer = method_of(message).answer({**message["result"], "attempt": 1, "begun_before": False})
            assert set(message["result"]) - set(answer) <= UNREAD
            kept = {k: v for k, v in answer.items() if k in message["result"] and k not in ("block_devices", "image_meta",
                                                                                              "rescue_image")}
            assert kept == {k: message["result"][k] for k in kept}


@pytest.mark.parametrize("record", JOURNALS, ids=[f"{r['task']}-{r['step']}" for r in JOURNALS])
def test_its_journals_are_read(record, tmp_path):
    tasks = {t.name: t for t in compute_service.TASKS}
    task = tasks.get(record["task"])
    journal = Journal(tmp_path)
    journal.write(record)
    (read,) = journal.records()
    if task is not None:
        assert record["step"] in task.steps
        assert Engine(journal)._upgrade_state(types.SimpleNamespace(shapes=task.shapes), read)
        if "instance" in task.shapes:
            assert read["state"]["instance"]["attempt"] is None
            assert not set(read["state"]["instance"]) & UNREAD
    assert journal.broken() == []


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return Place(tmp_path_factory.mktemp("place"))


@pytest.mark.parametrize("point", ["attached done", "spawn", "spawn done", "finish"])
def test_a_build_that_the_release_before_began_is_finished_after_the_upgrade(place, point):
    with place.world() as world:
        uuid = api.create(world, volume=True)
        world.go_to(build(world, uuid), point)
        host = world.row(uuid)["host"]
        journal = world.agents[host].tasks.journal
        world.crash(host)
        (record,) = journal.records()
        journal.write(as_of_old(record))
        assert "attempt" not in journal.records()[0]["state"]["instance"]
        world.boot_host(host)
        world.settle()
        assert world.row(uuid)["vm_state"] == "active"
        assert world.row(uuid)["host"] == host
        assert journal.keys() == journal.broken() == []


def as_of_old(record: dict) -> dict:
    """A record with the fields that its instance had in the release before: the row's, and no attempt."""
    states = [r["state"] for r in JOURNALS if r["task"] == record["task"]]
    old = next(s["instance"] for s in states if s["instance"]["block_devices"])
    mine = record["state"]["instance"]
    assert "attempt" not in old and set(mine) - set(old) <= {"attempt", "begun_before", "injected_files"}
    device = old["block_devices"][0]
    return {**record, "state": {**record["state"], "instance": {
        **old, **{k: v for k, v in mine.items() if k in old},
        "block_devices": [{**device, **{k: v for k, v in d.items() if k in device}} for d in mine["block_devices"]]}}}


def test_a_record_that_is_not_as_declared_is_set_aside_and_stops_nobody(place):
    with place.world() as world:
        uuid, other = api.create(world), api.create(world)
        world.go_to(build(world, uuid), "spawn")
        host = world.row(uuid)["host"]
        journal = world.agents[host].tasks.journal
        world.crash(host)
        (record,) = journal.records()
        record["state"]["instance"]["vm_state"] = 7
        journal.write(record)
        world.boot_host(host)
        world.settle()
        assert {world.row(u)["vm_state"] for u in (uuid, other)} == {"active"}


def test_reports_of_its_agents_count(tmp_path):
    """As its client sends them: without an attempt."""
    database = db.Database("compute", f"sqlite:///{tmp_path}/c.sqlite")
    models.METADATA.create_all(database.engine)
    service = types.SimpleNamespace(
        db=database, notifier=types.SimpleNamespace(on=False, notify=lambda *a, **k: None, changed=lambda *a: None))
    old = Direct(ConductorAPI, ConductorManager(service), parse_version(RELEASE))
    uuid, ctx = context.new_uuid(), context.service_context()
    with database.writer() as connection:
        connection.execute(sa.insert(instances.TABLE).values({
            **ROW, "uuid": uuid, "vm_state": "building", "task_state": "scheduling", "power_state": 0, "host": "node1",
            "attempt": 3, "flavor": {"name": "small", "disk": 1, "id": 1, "ephemeral": 0}, "created_at": db.now(),
            "updated_at": db.now()}))
    assert old.begin_build(ctx, uuid, "node1")["uuid"] == uuid
    assert old.progress(ctx, uuid, "spawn", []) is True
    assert old.finish(ctx, uuid, "spawn", [], {"power_state": 1, "network_info": []}) is True
    assert old.get_instance(ctx, uuid)["vm_state"] == "active"
