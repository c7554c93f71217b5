"""What /metrics tells: of the whole cloud, of the daemons of a host, and only at its own address."""

import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request

import pytest
import sqlalchemy as sa
from prometheus_client import parser
from prometheus_client.exposition import generate_latest

from common import context, errors, interface, metrics, rpc
from common.db import Database
from compute_agent.rpcapi import AgentAPI
from conductor.db import models
from deploy import bus, ports, prepare
from deploy.cloud_metrics import QueueReader
from deploy.exporter import Counted, Exporter
from tests.deploy import small_cloud
from tests.deploy.small_cloud import LONG_AGO, UUID


def free_port(address: str = "127.0.0.1") -> int:
    with socket.socket() as sock:
        sock.bind((address, 0))
        return sock.getsockname()[1]


@pytest.fixture(scope="module")
def state(tmp_path_factory):
    made = str(tmp_path_factory.mktemp("state"))
    prepare.write_config(made, transport_url="fake://", host="here", my_ip="127.0.0.1", driver="fake",
                         extra={"exporter": {"metrics": {"port": str(free_port())}}})
    prepare.sync_databases(made)
    return made


@pytest.fixture(scope="module")
def exporter(state):
    made = Exporter.load(state)
    small_cloud.fill(made.overview)
    yield made
    made.overview.close()


def scrape(exporter) -> dict:
    """{(name, *values of labels, by the labels' names): value}"""
    return {(sample.name, *sample.labels.values()): sample.value
            for family in parser.text_string_to_metric_families(generate_latest(exporter.registry).decode())
            for sample in family.samples}


def test_hosts_and_what_they_have(exporter):
    found = scrape(exporter)
    assert {state: found["pileus_hosts", state] for state in ("up", "down", "disabled")} == {"up": 1, "down": 1, "disabled": 1}
    assert {name: found["pileus_host_up", name] for name in ("here", "gone", "resting")} == {"here": 1, "gone": 0, "resting": 1}
    assert [found["pileus_host_disabled", name] for name in ("here", "resting")] == [0, 1]
    assert (found["pileus_host_vcpus", "here"], found["pileus_host_vcpus_used", "here"]) == (4, 3)
    assert (found["pileus_host_memory_bytes", "here"], found["pileus_host_memory_used_bytes", "here"]) == (2 ** 30, 2 ** 29)
    assert (found["pileus_host_disk_bytes", "here"], found["pileus_host_disk_used_bytes", "here"]) == (10 * 2 ** 30, 2 * 2 ** 30)
    assert found["pileus_host_servers", "here"] == 1 and found["pileus_host_vcpus_used", "gone"] == 0
    assert found["pileus_allocation_ratio", "vcpus"] == 16


def test_servers_and_volumes_by_state(exporter):
    found = scrape(exporter)
    assert [found["pileus_servers", status] for status in ("ACTIVE", "BUILD", "ERROR")] == [1, 2, 0]
    assert [found["pileus_volumes", status] for status in ("available", "creating", "error")] == [2, 1, 0]
    assert found["pileus_volumes_bytes", "available"] == 3 * 2 ** 30
    assert found["pileus_snapshots", "available"] == 0
    assert [found[f"pileus_volume_backend_{what}bytes", "here"] / 2 ** 30 for what in ("", "free_", "promised_")] == [100, 60, 6]


def test_what_is_sent_again_is_no_less_stuck(exporter):
    """The conductor sends a build again every few seconds, and writes that to the row."""
    found = scrape(exporter)
    assert (found["pileus_stuck", "server"], found["pileus_stuck", "volume"], found["pileus_stuck", "snapshot"]) == (1, 1, 0)
    assert found["pileus_under_way_oldest_seconds", "server"] == pytest.approx(LONG_AGO.total_seconds(), abs=60)


def test_agents_that_report(exporter):
    found = scrape(exporter)
    up = {key[1:]: value for key, value in found.items() if key[0] == "pileus_agent_up"}
    assert up == {("nova-compute", "here", "compute"): 1, ("nova-compute", "gone", "compute"): 0,
                  ("nova-compute", "resting", "compute"): 1, ("cinder-volume", "here", "volume"): 1,
                  ("neutron-linuxbridge-agent", "here", "network"): 1, ("neutron-dhcp-agent", "here", "network"): 1}
    assert found["pileus_agent_enabled", "nova-compute", "resting", "compute"] == 0
    assert found["pileus_agent_heard_timestamp_seconds", "cinder-volume", "here", "volume"] == pytest.approx(time.time(), abs=60)


def test_a_scrape_costs_the_same_however_large_the_cloud_is(exporter):
    def sent() -> float:
        return sum(v for k, v in scrape(exporter).items() if k[0] == "pileus_sql_statements_total" and "exporter" in k[1])

    def statements() -> float:
        return -sent() + sent()
    few = statements()
    with exporter.overview.database("compute").writer() as connection:
        for number in range(100, 140):
            small_cloud.server(connection, number, "building", "spawning")
    with exporter.overview.database("compute").writer() as connection:
        many = statements()
        connection.execute(sa.delete(models.instances).where(models.instances.c.uuid >= UUID.format(100)))
    assert 0 < many <= few <= 12


def test_depth_of_queues(exporter, state):
    """Nobody answers on the host that is gone, so what it is sent stays in its queue."""
    client = AgentAPI(exporter.conf)
    client.delete(context.service_context(), "gone", UUID.format(1))
    look = QueueReader(exporter.conf, exporter.cloud)
    look.run_once()
    found = scrape(exporter)
    assert found["pileus_bus_queue_messages", "gone", "compute-agent"] == 1
    assert found["pileus_bus_queue_consumers", "gone", "compute-agent"] == 0
    assert found["pileus_bus_queue_messages", "", "scheduler"] == 0 and found["pileus_bus_queue_consumers", "", "scheduler"] == 1
    assert {k[2] for k in found if k[0] == "pileus_bus_queue_messages"} == {*bus.SHARED, *bus.OF_HOSTS.values()}
    assert found["pileus_bus_up",] == 1


def test_a_broker_that_hangs_keeps_no_scrape_waiting(exporter):
    look, hangs = QueueReader(exporter.conf, exporter.cloud), threading.Event()
    look.run_once()

    class Hanging:
        def look(self, names):
            assert hangs.wait(60)
            raise bus.Away("it hangs")
    look.bus = Hanging()
    thread = threading.Thread(target=look.run_forever, args=(threading.Event(),), daemon=True)
    thread.start()
    began = time.monotonic()
    assert scrape(exporter)["pileus_bus_up",] == 1  # as it was seen last
    assert time.monotonic() - began < 10
    hangs.set()
    with pytest.raises(bus.Away):
        look.run_once()
    found = scrape(exporter)
    assert found["pileus_bus_up",] == 0 and not [k for k in found if k[0] == "pileus_bus_queue_messages"]


def test_a_database_that_is_down_hides_no_other(exporter, monkeypatch):
    def away():
        raise sa.exc.OperationalError("SELECT", {}, Exception("gone"))
    monkeypatch.setattr(exporter.overview, "compute", away)
    found = scrape(exporter)
    assert [found["pileus_database_up", name] for name in ("compute", "network", "volume")] == [0, 1, 1]
    assert ("pileus_servers", "ACTIVE") not in found and found["pileus_volumes", "available"] == 2


def test_errors_of_databases_are_counted(tmp_path):
    database = Database("counted", f"sqlite:///{tmp_path}/x.sqlite")

    def count(kind: str) -> float:
        return metrics.SQL_ERRORS.labels("counted", kind)._value.get()
    with database.writer() as connection:
        connection.execute(sa.text("CREATE TABLE t (a INTEGER PRIMARY KEY)"))
        connection.execute(sa.text("INSERT INTO t VALUES (1)"))
    for kind, sql in (("ours", "SELECT nothing FROM t"), ("constraint", "INSERT INTO t VALUES (1)")):
        before = count(kind)
        with pytest.raises(sa.exc.SQLAlchemyError), database.writer() as connection:
            connection.execute(sa.text(sql))
        assert count(kind) == before + 1
    lost = Database("counted", f"sqlite:///{tmp_path}/none/x.sqlite")
    before = count("away")
    with pytest.raises(sa.exc.OperationalError):
        lost.ping()
    assert count("away") == before + 1


class _Endpoint:
    def __init__(self):
        self.may_end = threading.Event()

    def wait(self, ctx):
        assert self.may_end.wait(30)

    def break_down(self, ctx):
        raise ZeroDivisionError


class _Client(rpc.Client):
    topic = "counted"

    @interface.call(timeout_s=10, to="host")
    def break_down(self, ctx, host: str) -> None:
        ...

    @interface.call(timeout_s="timeout_s", to="host")
    def ask(self, ctx, host: str, timeout_s: float) -> None:
        ...

    @interface.cast(to="host")
    def wait(self, ctx, host: str) -> None:
        ...


def test_errors_of_the_bus_are_counted(exporter):
    client = _Client(exporter.conf)

    def count(kind: str) -> float:
        return metrics.RPC_ERRORS.labels("counted", kind)._value.get()
    with pytest.raises(errors.ServiceUnavailable):
        client.ask(context.service_context(), "nobody", 0.1)
    assert (count("timeout"), count("failed")) == (1, 0)
    server = rpc.server(exporter.conf, _Client, "broken", _Endpoint())
    server.start()
    try:
        with pytest.raises(ZeroDivisionError):
            client.break_down(context.service_context(), "broken")
        assert (count("timeout"), count("failed")) == (1, 1)
    finally:
        server.stop()


def test_what_a_daemon_took_and_has_not_begun_is_counted(exporter):
    endpoint, client = _Endpoint(), _Client(exporter.conf)
    server = rpc.server(exporter.conf, _Client, "busy", endpoint, threads=1)
    server.start()

    def waiting() -> float:
        return metrics.RPC_WAITING.labels("counted")._value.get()
    try:
        for _ in range(3):
            client.wait(context.service_context(), "busy")
        deadline = time.monotonic() + 10
        while waiting() != 2 and time.monotonic() < deadline:
            time.sleep(0.02)
        assert waiting() == 2
    finally:
        endpoint.may_end.set()
        server.stop()
        server.wait()
    assert waiting() == 0


def _get(address: str, port: int, path: str = "/metrics") -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://{address}:{port}{path}", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_it_listens_at_its_own_address_and_no_other(exporter):
    exporter.listen()
    port = exporter.conf.metrics.port
    try:
        status, text = _get("127.0.0.1", port)
        assert status == 200 and "pileus_hosts{" in text
        assert _get("127.0.0.1", port, "/")[0] == 404 and _get("127.0.0.1", port, "/healthcheck")[0] == 200
        with pytest.raises(urllib.error.URLError, match="refused"):  # as an address that tenants or guests reach would be
            _get("127.0.0.2", port)
    finally:
        exporter.server.shutdown()
        exporter.server.server_close()
        exporter.server = None


@pytest.mark.parametrize(("address", "api", "refused"), [
    ("192.0.2.1", "192.0.2.1", True), ("0.0.0.0", "127.0.0.1", True), ("::", "::1", True),
    ("127.0.0.1", "127.0.0.1", False), ("192.0.2.2", "192.0.2.1", False), ("127.0.0.1", "192.0.2.1", False)])
def test_it_never_listens_where_users_of_the_cloud_come(state, address, api, refused):
    assert bool(ports.why_no_metrics(address, api)) is refused
    if refused:
        exporter = Exporter.load(state, {"metrics.bind_host": address, "bind_host": api})
        with pytest.raises(OSError, match="/metrics is not served"):
            exporter.listen()
        exporter.overview.close()


COUNT = """import sys
from common import metrics
metrics.identify(sys.argv[1])
metrics.TASKS.labels("boot", "done").inc(int(sys.argv[2]))
metrics.RPC_WAITING.labels("t").set(int(sys.argv[2]))"""


def test_processes_of_a_host_count_together(tmp_path, monkeypatch):
    """And a daemon goes on where it was before it was started anew."""
    for name, number in (("api-0-7", 1), ("api-0-7", 2), ("agent-0-7", 4)):
        subprocess.run([sys.executable, "-c", COUNT, name, str(number)], check=True, env={
            "PATH": "/usr/bin", metrics.DIRECTORY: str(tmp_path), "PYTHONPATH": ":".join(sys.path)})
    assert {p.name for p in tmp_path.iterdir()} == {f"{kind}_{name}.db" for kind in ("counter", "gauge_sum")
                                                    for name in ("api-0-7", "agent-0-7")}
    found = {sample.name: sample.value for family in Counted(str(tmp_path)).collect() for sample in family.samples}
    assert found == {"pileus_tasks_total": 7, "pileus_rpc_waiting": 6}
    (tmp_path / "counter_broken.db").write_bytes((32).to_bytes(8, "little") + b"\x7f" * 56)
    assert list(Counted(str(tmp_path)).collect()) == []


def test_a_host_that_only_has_guests_imports_no_tables():
    """Its daemons share what their parent imported; the more that is, the more each of them weighs."""
    code = "import sys; from deploy.daemons import DAEMONS, HOST_DAEMONS; [DAEMONS[name].load() for name in HOST_DAEMONS]; " \
           "print([name for name in sys.modules if '.db.' in name])"
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
