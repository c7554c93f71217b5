"""What a server of the bus takes, and which version a client sends, on a bus in memory."""

import dataclasses
import datetime
import json
import logging
import types
from typing import Annotated, TypedDict

import oslo_messaging as messaging
import pytest
import sqlalchemy as sa

from common import conf as conf_module
from common import context, db, errors, rpc, upgrade
from common.interface import call, cast
from common.messages import Added, Id
from common.periodic import wait_for
from tests.compute.services import add_service


class Answer(TypedDict):
    n: int
    added: Annotated[str | None, Added("1.1", default=None)]


class Old(rpc.Client):
    topic = "things"

    @call(timeout_s=5, to="host")
    def work(self, ctx, host: str, uuid: Id) -> Answer:
        """As of 1.0."""

    @cast(to="host")
    def tell(self, ctx, host: str, uuid: Id) -> None:
        """As of 1.0."""


class New(rpc.Client):
    topic = "things"
    level = "compute"
    history = {"1.0": "The first version.", "1.1": "work and tell take speed, and return added.",
               "1.2": "stop is new, inform takes the place of tell."}

    @call(timeout_s=5, to="host")
    def work(self, ctx, host: str, uuid: Id, speed: Annotated[int | None, Added("1.1")] = None) -> Answer:
        """With an argument that 1.0 does not know."""

    @cast(to="host")
    def tell(self, ctx, host: str, uuid: Id, speed: Annotated[int | None, Added("1.1")] = None) -> None:
        """The same."""

    @call(timeout_s=5, to="host", since="1.2")
    def stop(self, ctx, host: str) -> None:
        """New."""

    @cast(to="host", since="1.2", older="tell")
    def inform(self, ctx, host: str, uuid: Id, speed: int | None = None) -> None:
        """A better name of the same."""


class Manager:
    secret = "s"

    def __init__(self):
        self.heard: list[dict] = []

    def work(self, ctx, uuid, **more):
        self.heard.append({"uuid": uuid, **more})
        return {"n": 1, "added": "x", "row": "a secret"} if more else {"n": 1}

    def tell(self, ctx, uuid, **more):
        self.heard.append({"uuid": uuid, **more})

    def inform(self, ctx, uuid, speed):
        self.heard.append({"informed": uuid, "speed": speed})

    def stop(self, ctx):
        self.heard.append({"stop": True})

    def undeclared(self, ctx):
        raise AssertionError("nobody may call this")


# The second is RabbitMQ's driver without a broker: it turns errors into JSON and back.
@pytest.fixture(params=["fake://", "kombu+memory://"])
def conf(tmp_path, request):
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "pileus.conf").write_text(f"[DEFAULT]\ntransport_url = {request.param}\n")
    made = conf_module.load("compute", {}, str(tmp_path))
    yield made
    # Kombu's bus in memory polls without a pause, in a thread of each client that has called.
    rpc.transport(made).cleanup()


@pytest.fixture
def serve(conf):
    running = []

    def start(answers, host):
        manager = Manager()
        server = rpc.server(conf, answers, host, manager)
        server.start()
        running.append(server)
        return manager
    yield start
    for server in running:
        server.stop()
        server.wait()


CTX = context.service_context()


def test_a_new_client_and_an_old_server_come_to_terms(conf, serve):
    """The server refuses the newer version once; then it is asked in its own, and so are casts, whose refusal nobody hears."""
    manager = serve(Old, "old")
    client = New(conf)
    assert client.work(CTX, "old", "a", speed=3) == {"n": 1, "added": None}
    client.tell(CTX, "old", "b", 4)
    wait_for(lambda: len(manager.heard) == 2, 30, what="the cast")
    assert manager.heard == [{"uuid": "a"}, {"uuid": "b"}]
    with pytest.raises(errors.ServiceTooOld, match="older release"):
        client.stop(CTX, "old")


def test_where_servers_are_older_the_method_is_called_that_the_new_one_takes_the_place_of(conf, serve, monkeypatch):
    old, new, found = serve(Old, "old"), serve(New, "new"), ["1.0"]
    monkeypatch.setattr(upgrade, "REFRESH_S", -1)
    client = New(conf, lambda: found)
    client.inform(CTX, "old", "a", 5)
    wait_for(lambda: old.heard, 30, what="the cast")
    found[0] = "1.1"
    client.inform(CTX, "new", "b", 5)
    found[0] = "1.2"
    client.inform(CTX, "new", "c", 5)
    wait_for(lambda: len(new.heard) == 2, 30, what="the casts")
    assert old.heard == [{"uuid": "a"}]
    assert sorted(map(str, new.heard)) == sorted(map(str, [{"uuid": "b", "speed": 5}, {"informed": "c", "speed": 5}]))


def test_an_old_client_is_understood_by_a_new_server(conf, serve):
    manager = serve(New, "new")
    assert Old(conf).work(CTX, "new", "a") == {"n": 1, "added": "x"}
    assert manager.heard == [{"uuid": "a", "speed": None}]


def test_clients_keep_to_the_lowest_version_of_the_running_services(conf, serve, monkeypatch):
    found = {"old": "1.0", "new": "1.2", "ancient": None}
    old, new = serve(Old, "old"), serve(New, "new")
    client = New(conf, found.values)
    client.tell(CTX, "old", "a", 3)
    client.work(CTX, "new", "a", 3)
    with pytest.raises(errors.ServiceTooOld):
        client.stop(CTX, "new")
    wait_for(lambda: old.heard, 30, what="the cast")
    assert (old.heard, new.heard) == ([{"uuid": "a"}], [{"uuid": "a", "speed": None}])
    found.update(old="1.1", ancient="1.1")
    monkeypatch.setattr(upgrade, "REFRESH_S", -1)
    client.work(CTX, "new", "b", 4)
    assert new.heard[1:] == [{"uuid": "b", "speed": 4}]
    found.update(old="1.2", ancient="1.7")
    client.stop(CTX, "new")
    assert new.heard[2:] == [{"stop": True}]


def test_the_configuration_fixes_a_version(conf, serve):
    manager = serve(New, "new")
    conf.set_override("compute", "1.0", group="upgrade_levels")
    client = New(conf, lambda: pytest.fail("not asked"))
    client.work(CTX, "new", "a", 3)
    assert manager.heard == [{"uuid": "a", "speed": None}]
    for wrong in ("1.3", "2.0", "0.9", "newest", "1"):
        conf.set_override("compute", wrong, group="upgrade_levels")
        with pytest.raises(ValueError):
            New(conf)


def test_while_versions_cannot_be_read_the_last_known_is_sent(conf, serve, monkeypatch):
    def away():
        raise sa.exc.OperationalError("SELECT", {}, Exception("no route to host"))
    manager = serve(New, "new")
    monkeypatch.setattr(upgrade, "REFRESH_S", -1)
    answers = iter([away, lambda: ["1.1"], away])
    client = New(conf, lambda: next(answers)())
    for _ in range(3):
        client.work(CTX, "new", "a", 3)
    assert [m["speed"] for m in manager.heard] == [None, 3, 3]


def _send(conf, method, arguments, *, version="1.2", ctx=CTX):
    """A call that no client of ours would make."""
    raw = messaging.get_rpc_client(rpc.transport(conf), messaging.Target(topic="things", version=version), serializer=(
        rpc.Serializer() if hasattr(ctx, "as_dict") else None))
    return raw.prepare(server="new", timeout=5).call(ctx, method, **arguments)


@pytest.mark.parametrize("method", ["undeclared", "secret", "__init__", "heard", "target", "_work"])
def test_what_is_not_declared_cannot_be_called(conf, serve, method):
    manager = serve(New, "new")
    with pytest.raises((messaging.NoSuchMethod, messaging.RemoteError)):
        _send(conf, method, {})
    assert manager.heard == []


@pytest.mark.parametrize("arguments", [{}, {"uuid": 7}, {"uuid": "../x"}, {"uuid": "a", "speed": "fast"}, {"uuid": None},
                                       {"uuid": "a", "speed": [1] * 1000}, {"uuid": "a" * 10**6}])
def test_bad_messages_are_refused_and_the_server_lives(conf, serve, caplog, arguments):
    manager = serve(New, "new")
    with caplog.at_level(logging.ERROR), pytest.raises(errors.InvalidMessage):
        _send(conf, "work", arguments)
    assert "work: refused" in caplog.text and manager.heard == []
    assert New(conf).work(CTX, "new", "a", 1)["n"] == 1


def test_unknown_arguments_and_undeclared_parts_of_results_stay_at_the_door(conf, serve):
    manager = serve(New, "new")
    assert _send(conf, "work", {"uuid": "a", "speed": 1, "of_2030": {}, "agent": "x"}) == {"n": 1, "added": "x"}
    assert manager.heard == [{"uuid": "a", "speed": 1}]


@pytest.mark.parametrize("ctx", [{"roles": 5}, {"user_id": ["x"]}, {"expires_at": "never"}, {"system": None}, {"trust": 1}])
def test_wrong_contexts_are_refused(conf, serve, ctx):
    manager = serve(New, "new")
    with pytest.raises(errors.InvalidMessage):
        _send(conf, "work", {"uuid": "a"}, ctx=ctx)
    assert manager.heard == []


@pytest.mark.parametrize("ctx", [{}, {"of_2030": 1, "user_id": "u"}])
def test_contexts_of_other_releases_are_taken(conf, serve, ctx):
    manager = serve(New, "new")
    _send(conf, "work", {"uuid": "a"}, ctx=ctx)
    assert manager.heard == [{"uuid": "a", "speed": None}]


def test_a_context_arrives_as_it_was():
    given = context.Context(user_id="u", roles=("admin", "member"), trust=("a", "b", "c"), issued_at=1.5, system=True,
                            access_rules=(("compute", "GET", "/v2.1/servers"),), token="t")
    arrived = context.Context.from_dict(json.loads(json.dumps(given.as_dict())))
    assert arrived == dataclasses.replace(given, token=None)
    assert hash(arrived)


def test_a_manager_s_wrong_result_is_logged_and_not_sent(conf, serve, caplog):
    manager = serve(New, "new")
    manager.work = types.MethodType(lambda self, ctx, uuid, speed: {"n": "many"}, manager)
    with caplog.at_level(logging.ERROR), pytest.raises(errors.InvalidMessage):
        New(conf).work(CTX, "new", "a")
    assert "work: refused" in caplog.text


def test_a_network_agent_that_is_disabled_counts_while_it_is_heard(tmp_path):
    from network.db import heartbeats, hosting, models
    database = db.Database("network", f"sqlite:///{tmp_path}/n.sqlite")
    models.METADATA.create_all(database.engine)
    with database.writer() as connection:
        heartbeats.write(connection, {"a": {"rpc_version": "1.0"}, "b": {"rpc_version": "1.1"}})
        connection.execute(models.agents.update().where(models.agents.c.host == "a").values(admin_state_up=False))
    assert sorted(hosting.rpc_versions(database)) == ["1.0", "1.1"]
    with database.writer() as connection:
        connection.execute(models.agents.update().values(heartbeat_at=db.now() - datetime.timedelta(minutes=6)))
    assert hosting.rpc_versions(database) == ["1.1"]


def test_versions_of_services_are_read_from_their_rows(tmp_path):
    """One that was silent for a day, and one that its operator took out of service, keep nobody from newer messages."""
    from conductor.db import hosts, models
    database = db.Database("compute", f"sqlite:///{tmp_path}/c.sqlite")
    models.METADATA.create_all(database.engine)
    with database.writer() as connection:
        for host, version in (("a", None), ("b", "1.0"), ("c", "1.1"), ("d", "1.1")):
            add_service(connection, "nova-compute", host, "nova", version)
        add_service(connection, "nova-other", "e", "nova", "0.1")
    assert sorted(hosts.compute_versions(database), key=str) == ["1.0", "1.1", None]
    with database.writer() as connection:
        table = models.services
        connection.execute(table.update().where(table.c.host == "a").values(forced_down=True))
        connection.execute(table.update().where(table.c.host == "b").values(
            updated_at=db.now().replace(year=2000)))
    assert hosts.compute_versions(database) == ["1.1"]


@pytest.mark.parametrize(("error", "part"), [
    (messaging.MessageDeliveryFailure("connection refused"), "the message bus"), (ConnectionRefusedError(), "the message bus"),
    (messaging.MessagingTimeout(), "things on new"), (messaging.MessageUndeliverable("", "", "", ""), "things on new")])
def test_a_caller_is_told_whether_the_bus_or_the_daemon_does_not_respond(conf, error, part):
    def raise_it(*words, **more):
        raise error
    with pytest.raises(errors.ServiceUnavailable, match=f"does not respond: {part}\\."):
        New(conf)._call(types.SimpleNamespace(call=raise_it), CTX, New.methods["stop"], {}, 5, "new")


def test_a_missing_address_of_the_broker_is_named(tmp_path):
    with pytest.raises(conf_module.ConfigError, match=f"{tmp_path}/etc/pileus.conf: .DEFAULT. transport_url is missing"):
        rpc.check_address(conf_module.load("compute", {}, str(tmp_path)))
