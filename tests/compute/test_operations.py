"""The engine of operations: two conductors, each killed at each step, reports that are late, doubled, lost or of failure."""

import datetime
import types

import pytest
import sqlalchemy as sa

from common import context, db, errors, server_states
from common.db import Database
from conductor import operations as engine_module
from conductor.db import machine, models, operations
from conductor.manager import Manager
from conductor.operations import Engine, Operation

UUID = "e0000001-0000-4000-8000-000000000000"
STEPS = ("reserve", "work", "publish")


class Killed(BaseException):
    pass


class Example(Operation):
    """``reserve`` and ``publish`` are the conductor's, ``work`` is a host's. What they do is written into ``effects``."""

    kind = "example"
    steps = STEPS
    undoable = ("reserve", "work")
    host_steps = {"work": "work", "undo_work": "undo_work"}

    def __init__(self):
        self.effects: dict[str, int] = {}
        self.recorded: list[str] = []
        self.failing: dict[str, Exception] = {}

    def _do(self, name: str):
        if name in self.failing:
            raise self.failing[name]
        self.effects[name] = self.effects.get(name, 0) + 1

    def reserve(self, job):
        self._do("reserve")
        return {"reserved": True}

    def undo_reserve(self, job):
        self._do("undo_reserve")

    def record_reserve(self, connection, job):
        self.recorded.append("reserve")

    def work(self, job):
        self._do("work")
        return job.ask_or_fail("h1")

    def undo_work(self, job):
        self._do("undo_work")
        return job.ask("h1")

    def record_work(self, connection, job):
        self.recorded.append(f"work {job.data['made']}")

    def publish(self, job):
        assert job.data["reserved"] and job.data["made"]
        self._do("publish")

    def finished(self, connection, job):
        self.recorded.append("finished")
        machine.finish(connection, job.uuid, "migrate", attempt=job.row["attempt"])

    def failed(self, connection, job, error):
        self.recorded.append(f"failed {error}")
        machine.fail(connection, job.uuid, "migrate", attempt=job.row["attempt"])

    def superseded(self, connection, job):
        self.recorded.append("superseded")


class Cloud:
    """A database, a kind of operation, and conductors that drive it when a test tells them to."""

    def __init__(self, database):
        self.db, self.kind, self.asked = database, Example(), []
        self.conductors = [self._conductor("one"), self._conductor("two")]

    def _conductor(self, name: str) -> Engine:
        def ask(ctx, host, uuid, operation_id, number):
            self.asked.append((host, operation_id, number))
        service = types.SimpleNamespace(
            db=self.db, agents=types.SimpleNamespace(operation_step=ask), conf=types.SimpleNamespace(
                host=name, service_down_time=60), notify=lambda *a, **k: None)
        made = Engine(service, [self.kind])
        made.wake = lambda operation_id: None
        return made

    def begin(self) -> str:
        with self.db.writer() as connection:
            machine.begin(connection, UUID, "migrate")
            return operations.begin(connection, context.service_context(), "example", UUID, self.server()["attempt"], {})

    def server(self) -> dict:
        with self.db.reader() as connection:
            return dict(connection.execute(sa.select(models.instances)).mappings().one())

    def row(self) -> dict | None:
        with self.db.reader() as connection:
            found = operations.list_all(connection)
        return found[0] if found else None

    def later(self) -> None:
        """All leases have run out, and everything is due."""
        past = db.now() - datetime.timedelta(hours=1)
        with self.db.writer() as connection:
            connection.execute(sa.update(models.operations).values(due_at=past))
            connection.execute(sa.update(models.operations).where(models.operations.c.lease_until.is_not(None)).values(
                lease_until=past))

    def silence(self, host: str) -> None:
        with self.db.writer() as connection:
            connection.execute(sa.update(models.services).where(models.services.c.host == host).values(
                updated_at=db.now() - datetime.timedelta(hours=1)))

    def report(self, index: int = -1, **found) -> bool:
        _, operation_id, number = self.asked[index]
        return self.conductors[0].end_step(operation_id, number, {"host": "h1", "result": {"made": 7}, **found})

    def run(self, operation_id: str, *, passes: int = 20) -> None:
        """Let both conductors go on in turn, and the host do what it is asked, until the operation has ended."""
        for number in range(passes):
            self.conductors[number % 2].run(operation_id)
            row = self.row()
            if row is None:
                return
            if self.asked and self.asked[-1][2] == row["number"] and row["report"] is None:
                self.report()
            self.later()
        raise AssertionError(f"it does not end: {self.row()}")


@pytest.fixture
def cloud(tmp_path):
    database = Database("test", f"sqlite:///{tmp_path}/compute.sqlite")
    models.METADATA.create_all(database.engine)
    row = {c.name: None for c in models.instances.c}
    row.update(uuid=UUID, project_id="p", user_id="u", display_name="n", hostname="n", flavor={}, vcpus=1, memory_mb=1,
               disk_gb=1, vm_state="active", power_state=1, config_drive=False, metadata={}, image_meta={}, host="h0",
               security_groups=[], requested_networks=[], network_info=[], tags=[], scheduler_hints={}, tried_hosts=[],
               locked=False, root_device_name="/dev/vda", disk_config="AUTO", reservation_id="r", launch_index=0,
               request_id="req", attempt=0, created_at=db.now(), updated_at=db.now())
    with database.writer() as connection:
        connection.execute(sa.insert(models.instances).values(row))
        connection.execute(sa.insert(models.services).values(
            id="s", binary="nova-compute", host="h1", disabled=False, forced_down=False, zone="nova", updated_at=db.now()))
    yield Cloud(database)
    engine_module.INJECT = None


def states(cloud) -> tuple:
    return cloud.server()["vm_state"], cloud.server()["task_state"]


def test_the_steps_are_done_in_order_and_shown_as_events(cloud):
    operation = cloud.begin()
    cloud.run(operation)
    assert cloud.kind.effects == dict.fromkeys(STEPS, 1)
    assert cloud.kind.recorded == ["reserve", "work 7", "finished"]
    assert states(cloud) == (server_states.RESIZED, None)
    with cloud.db.reader() as connection:
        events = connection.execute(sa.select(models.instance_events).order_by(models.instance_events.c.id)).mappings().all()
    assert [(e["event"], e["host"], e["result"]) for e in events] == [
        ("example_reserve", None, "Success"), ("example_work", "h1", "Success"), ("example_publish", None, "Success")]


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("moment", ["begin", "end", "recorded"])
def test_a_conductor_killed_at_any_moment_is_followed_by_another(cloud, step, moment):
    operation = cloud.begin()
    killed = []

    def kill(kind, phase, at, when):
        if (at, when) == (step, moment) and not killed:
            killed.append(at)
            raise Killed()
    engine_module.INJECT = kill
    for _ in range(6):
        try:
            cloud.conductors[0].run(operation)
            cloud.report()
        except Killed:
            break
        cloud.later()
    assert killed
    if cloud.row() is not None:
        before = cloud.row()["number"]
        if cloud.row()["lease_until"]:
            cloud.conductors[1].run(operation)
            assert cloud.row()["number"] == before, "the other holds the lease still"
        cloud.later()
        cloud.run(operation)
    assert cloud.kind.recorded == ["reserve", "work 7", "finished"], "each step is recorded once, whoever did it"
    assert states(cloud) == (server_states.RESIZED, None)


@pytest.mark.parametrize("step", ["reserve", "work"])
def test_a_step_that_fails_is_undone_and_what_was_done_before_it(cloud, step):
    operation = cloud.begin()
    cloud.kind.failing[step] = errors.StepFailed(reason="it cannot")
    cloud.run(operation)
    undone = [name for name in cloud.kind.effects if name.startswith("undo")]
    assert undone == {"reserve": ["undo_reserve"], "work": ["undo_work", "undo_reserve"]}[step]
    assert cloud.kind.recorded[-1] == "failed it cannot" and "finished" not in cloud.kind.recorded
    assert states(cloud) == (server_states.ACTIVE, None)


def test_what_a_host_could_not_do_is_undone(cloud):
    operation = cloud.begin()
    cloud.conductors[0].run(operation)
    assert cloud.report(error="no space", result=None)
    cloud.later()
    cloud.run(operation)
    assert cloud.kind.recorded == ["reserve", "failed no space"] and cloud.kind.effects["undo_work"]


def test_a_step_that_cannot_be_undone_is_repeated_until_it_is_done(cloud):
    operation = cloud.begin()
    cloud.kind.failing["publish"] = errors.StepFailed(reason="not now")
    with pytest.raises(AssertionError, match="does not end"):
        cloud.run(operation)
    assert cloud.row()["step"] == "publish" and cloud.row()["phase"] == "forward"
    cloud.kind.failing.clear()
    cloud.later()
    cloud.run(operation)
    assert cloud.kind.recorded[-1] == "finished"


def test_a_part_that_is_away_is_waited_for_a_while_and_then_the_step_has_failed(cloud):
    operation = cloud.begin()
    cloud.kind.failing["reserve"] = errors.ServiceUnavailable(part="the scheduler")
    cloud.conductors[0].run(operation)
    cloud.conductors[0].run(operation)
    assert cloud.row()["phase"] == "forward" and cloud.row()["due_at"] > db.now()
    with cloud.db.writer() as connection:
        connection.execute(sa.update(models.operations).values(step_at=db.now() - datetime.timedelta(seconds=400)))
    cloud.later()
    cloud.run(operation)
    assert cloud.kind.recorded[-1].startswith("failed ") and "the scheduler" in cloud.kind.recorded[-1]


def test_a_host_that_is_down_fails_its_step_and_its_undo_waits_for_it(cloud):
    operation = cloud.begin()
    cloud.silence("h1")
    with pytest.raises(AssertionError, match="does not end"):
        cloud.run(operation)
    assert (cloud.row()["step"], cloud.row()["phase"], cloud.asked) == ("work", "undo", [])
    with cloud.db.writer() as connection:
        connection.execute(sa.update(models.services).values(updated_at=db.now()))
    cloud.later()
    cloud.run(operation)
    assert cloud.kind.recorded[-1] == "failed Host h1 does not answer."


def test_a_message_that_was_lost_is_sent_again_with_the_same_number(cloud):
    operation = cloud.begin()
    cloud.conductors[0].run(operation)
    cloud.conductors[1].run(operation)
    assert len(cloud.asked) == 1, "not before its time"
    cloud.later()
    cloud.conductors[1].run(operation)
    assert len(cloud.asked) == 2 and cloud.asked[0] == cloud.asked[1]


def test_reports_count_once_and_only_of_the_present_number(cloud):
    operation = cloud.begin()
    cloud.conductors[0].run(operation)
    assert cloud.report()
    assert not cloud.report(error="a second one", result=None)
    cloud.conductors[0].run(operation)
    assert cloud.row() is None
    assert not cloud.report(), "of an operation that has ended"


def test_a_report_that_comes_while_its_step_is_being_sent_is_not_slept_over(cloud):
    operation = cloud.begin()
    send = cloud.conductors[0].service.agents.operation_step

    def answered_at_once(*args):
        send(*args)
        cloud.report()
    woken: list = []
    cloud.conductors[0].service.agents.operation_step, cloud.conductors[0].wake = answered_at_once, woken.append
    cloud.conductors[0].run(operation)
    assert woken == [operation]
    cloud.conductors[1].run(operation)
    assert cloud.row() is None and cloud.kind.recorded[-1] == "finished"


def test_a_host_begins_a_step_only_while_it_is_wanted(cloud):
    operation = cloud.begin()
    cloud.conductors[0].run(operation)
    _, _, number = cloud.asked[0]
    for conductor in cloud.conductors:
        assert conductor.begin_step(operation, number)["step"] == "work"
        assert conductor.begin_step(operation, number - 1) is None
    cloud.report(error="no", result=None)
    assert cloud.conductors[1].begin_step(operation, number) is None, "it is done"
    cloud.conductors[0].run(operation)
    assert cloud.conductors[0].begin_step(operation, number + 1)["step"] == "undo_work"


@pytest.mark.parametrize("after", [0, 1])
def test_another_attempt_at_the_server_ends_it_and_undoes_nothing(cloud, after):
    operation = cloud.begin()
    for _ in range(after):
        cloud.conductors[0].run(operation)
    with cloud.db.writer() as connection:
        machine.begin(connection, UUID, "delete")
    cloud.later()
    cloud.conductors[1].run(operation)
    assert cloud.row() is None and cloud.kind.recorded[-1] == "superseded"
    assert not [name for name in cloud.kind.effects if name.startswith("undo")]
    assert states(cloud) == (server_states.ACTIVE, server_states.DELETING)


@pytest.mark.parametrize("step", STEPS)
def test_a_step_that_is_done_while_the_server_begins_another_attempt_records_nothing(cloud, step):
    """As where an operator resets its state: what the step found says nothing of the server any more."""
    operation = cloud.begin()

    def reset(kind, phase, at, moment):
        if (at, moment) == (step, "end"):
            with cloud.db.writer() as connection:
                machine.reset(connection, UUID, "active")
    engine_module.INJECT = reset
    cloud.run(operation)
    done = STEPS[:STEPS.index(step)]
    assert [r.split()[0] for r in cloud.kind.recorded] == [*done, "superseded"]


def test_who_lost_the_lease_records_nothing(cloud):
    """Both do the step, because the first is slow; what the first one then writes is refused."""
    operation = cloud.begin()
    slow = Example.reserve

    def overtaken(self, job):
        found = slow(self, job)
        Example.reserve = slow
        cloud.later()
        cloud.conductors[1].run(operation)
        return found
    Example.reserve = overtaken
    try:
        cloud.conductors[0].run(operation)
    finally:
        Example.reserve = slow
    assert cloud.kind.effects["reserve"] == 2 and cloud.kind.recorded == ["reserve"]
    assert len(cloud.asked) == 1
    cloud.run(operation)
    assert cloud.kind.recorded == ["reserve", "work 7", "finished"]


def test_an_agent_is_waited_for_by_nobody(cloud):
    operation = cloud.begin()
    cloud.conductors[0].run(operation)
    assert cloud.row()["lease_holder"] is None


def test_conductors_look_often_only_where_there_is_something_to_do(cloud):
    """An idle one reads a row in five seconds or more; it is told of what begins."""
    statements: list[str] = []
    sa.event.listen(cloud.db.engine, "before_cursor_execute", lambda *about: statements.append(about[2]))
    drive = engine_module.OperationRunner(cloud.conductors[0])
    drive.run_once()
    assert len(statements) == 1 and drive.interval_s >= 5
    operation = cloud.begin()
    woken = []
    cloud.conductors[0].wake = woken.append
    drive.run_once()
    assert woken == [operation] and drive.interval_s <= 1
    manager = Manager(types.SimpleNamespace(operations=cloud.conductors[0]))
    manager.drive_operation(None, operation)
    assert woken == [operation] * 2


def test_a_host_that_goes_on_is_told_with_the_answer_to_its_report(cloud):
    """It is not requested besides, unless the answer was lost."""
    cloud.kind.host_steps = {**Example.host_steps, "publish": "publish"}
    cloud.kind.publish, cloud.kind.goes_on = lambda job: job.ask("h1"), lambda job: job.row["step"] == "work"
    operation = cloud.begin()
    cloud.conductors[0].run(operation)
    _, _, number = cloud.asked[0]
    assert cloud.conductors[1].begin_step(operation, number)["goes_on"]
    report = {"host": "h1", "result": {"made": 7}}
    answer = cloud.conductors[1].next_step(operation, number, report)
    assert (answer["step"], answer["number"], answer["goes_on"]) == ("publish", number + 1, False)
    assert answer["data"]["made"] == 7 and answer["instance"]["uuid"] == UUID and answer["instance"]["block_devices"] == []
    assert cloud.conductors[0].next_step(operation, number, report) is None, "it comes again"
    cloud.conductors[0].run(operation)
    assert len(cloud.asked) == 1
    cloud.later()
    cloud.conductors[0].run(operation)
    assert cloud.asked[1] == ("h1", operation, number + 1)
    cloud.report()
    assert cloud.kind.recorded == ["reserve", "work 7", "finished"]


@pytest.mark.parametrize("report", [{"error": "no space"}, {"error": "away", "again": True}])
def test_a_host_that_failed_is_not_told_to_go_on(cloud, report):
    cloud.kind.host_steps = {**Example.host_steps, "publish": "publish"}
    cloud.kind.goes_on = lambda job: True
    operation = cloud.begin()
    cloud.conductors[0].run(operation)
    assert cloud.conductors[0].next_step(operation, cloud.asked[0][2], {"host": "h1", **report}) is None
    assert cloud.row()["step"] == "work" and cloud.row()["report"] is not None


def test_steps_that_do_nothing_are_recorded_with_the_step_before(cloud):
    cloud.kind.steps, cloud.kind.idle = ("reserve", "idle", "work", "publish"), ("idle",)
    cloud.kind.record_idle = lambda connection, job: cloud.kind.recorded.append("idle")
    operation = cloud.begin()
    cloud.conductors[0].run(operation)
    assert cloud.kind.recorded == ["reserve", "idle"] and cloud.row()["step"] == "work"
    cloud.report(error="it cannot", result=None)
    cloud.kind.undo_idle = lambda job: cloud.kind._do("undo_idle")
    cloud.later()
    cloud.run(operation)
    assert [name for name in cloud.kind.effects if name.startswith("undo")] == ["undo_work", "undo_idle", "undo_reserve"]


def test_a_step_is_reported_by_the_host_that_takes_over_and_by_no_other(cloud):
    cloud.kind.host_steps = {**Example.host_steps, "publish": "publish"}
    cloud.kind.handed_over_by = lambda connection, job, host: "h1" if (job.row["step"], host) == ("work", "h2") else None
    operation = cloud.begin()
    with cloud.db.writer() as connection:
        connection.execute(sa.update(operations.TABLE).values(data={"made": 7}))
    cloud.conductors[0].run(operation)
    number, engine = cloud.asked[0][2], cloud.conductors[1]
    for outdated in ((number, "h1"), (number - 1, "h2")):
        assert engine.handed_over(operation, *outdated) is None
    assert cloud.row()["step"] == "work" and cloud.row()["report"] is None
    answer = engine.handed_over(operation, number, "h2")
    assert (answer["step"], answer["number"]) == ("publish", number + 1) and cloud.row()["step"] == "publish"
    assert engine.handed_over(operation, number, "h2") is None, "it comes again"
    assert len(cloud.asked) == 1, "it is not requested besides"


def test_an_operation_that_is_not_to_go_on_is_undone_when_the_next_host_takes_over(cloud):
    def handed_over_by(connection, job, host):
        raise errors.StepFailed(reason="it was aborted")
    cloud.kind.handed_over_by = handed_over_by
    operation = cloud.begin()
    cloud.conductors[0].run(operation)
    assert cloud.conductors[1].handed_over(operation, cloud.asked[0][2], "h2", {}) is None
    assert cloud.row()["report"] == {"host": "h2", "error": "it was aborted"}
    cloud.run(operation)
    assert cloud.kind.recorded == ["reserve", "failed it was aborted"]


def test_the_first_request_of_a_step_tells_what_it_is_and_a_repeated_one_does_not(cloud):
    cloud.kind.told, told = ("work",), []
    cloud.conductors[0].service.agents.operation_step = lambda ctx, host, uuid, operation_id, number, *more: told.append(more)
    operation = cloud.begin()
    cloud.conductors[0].run(operation)
    cloud.later()
    cloud.conductors[0].run(operation)
    (first,), second = told
    assert (first["step"], first["instance"]["uuid"], first["number"]) == ("work", UUID, cloud.row()["number"]) and second == ()
