"""What operators see of a real cloud: metrics of many processes at one address, the depth of RabbitMQ's queues, what is stuck."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request

import amqp
import psutil
import pytest
from prometheus_client import parser

from common import conf
from common.periodic import wait_for
from deploy import broker, bus, exporter, prepare
from deploy.daemons import DAEMONS, METRICS_PORT, PORTS
from deploy.processes import daemons
from tests.e2e.conftest import ROOT

pytestmark = pytest.mark.e2e


def metrics() -> dict:
    with urllib.request.urlopen(f"http://127.0.0.1:{METRICS_PORT}/metrics", timeout=30) as answer:
        return {(s.name, *s.labels.values()): s.value for f in parser.text_string_to_metric_families(answer.read().decode())
                for s in f.samples}


def status(real, *words: str) -> dict:
    done = subprocess.run([sys.executable, "-W", "ignore", "-m", "deploy.cli", "status", "--json", "--state", real.state, *words],
                          cwd=ROOT, capture_output=True, text=True, timeout=60)
    return json.loads(done.stdout)


def test_one_address_tells_of_all_daemons_and_of_the_cloud(real):
    def told():
        found = metrics()
        return found if ("pileus_bus_queue_consumers", host, "compute-agent") in found else None
    host = socket.gethostname()
    found = wait_for(told, 60, what="a look at the queues")
    assert {key[1]: value for key, value in found.items() if key[0] == "pileus_daemon_up"} == dict.fromkeys(
        ("supervisor", *DAEMONS), 1)
    assert [found["pileus_database_up", name] for name in ("compute", "network", "volume")] == [1, 1, 1]
    consumers = {key[2]: value for key, value in found.items() if key[0] == "pileus_bus_queue_consumers"}
    assert consumers == dict.fromkeys((*bus.SHARED, *bus.OF_HOSTS.values()), 1)
    assert found["pileus_servers", "ACTIVE"] >= 1 and found["pileus_hosts", "up"] == 1 == found["pileus_bus_up",]
    for service, path in (("identity", "/projects"), ("volume", "/volumes")):  # two processes
        real.client.call(service, "GET", path)

    def answered(service: str, values: dict) -> float:
        return sum(v for k, v in values.items() if k[0] == "pileus_http_request_seconds_count" and service in k)
    after = metrics()
    assert all(answered(service, after) > answered(service, found) for service in ("identity", "volume"))


def test_metrics_are_nowhere_else(real):
    listening = {c.laddr.ip for c in psutil.net_connections("tcp")
                 if c.status == psutil.CONN_LISTEN and c.laddr.port == METRICS_PORT}
    assert listening == {"127.0.0.1"} and real.address != "127.0.0.1"
    with pytest.raises(urllib.error.URLError, match="refused"):
        urllib.request.urlopen(f"http://{real.address}:{METRICS_PORT}/metrics", timeout=5)
    for port in PORTS.values():
        answer = real.client.pool.request("GET", f"http://{real.address}:{port}/metrics",
                                          headers={"X-Auth-Token": real.client.token})
        assert answer.status in (300, 401, 403, 404) and b"pileus_" not in answer.data, port


def test_a_daemon_counts_on_after_it_was_started_again(real):
    def asks() -> bool:
        """Whether it answers: one that has just started does not know yet which tokens were revoked."""
        with contextlib.suppress(RuntimeError):
            real.client.call("volume", "GET", "/volumes")
            return True
        return False

    def answered() -> float:
        return sum(v for k, v in metrics().items() if k[0] == "pileus_http_request_seconds_count" and "/v3/volumes" in k
                   and k[-1] == "200")
    assert asks()
    before, pid = answered(), daemons()["volume-api"]
    assert before > 0
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: daemons().get("volume-api") not in (None, pid), 30, what="another process")
    wait_for(asks, 30, what="it to answer")
    assert answered() == before + 1


def test_depth_of_rabbitmq_s_queues(real):
    """Asked for with the rights of a service: it makes no queue, and one that is not there costs it nothing."""
    loaded = conf.load("exporter", exporter.OPTS, real.state)
    password = prepare.ensure_secrets(real.state)["bus_password"]
    other = amqp.Connection(f"{real.address}:{broker.PORT}", broker.USER, password)
    other.connect()
    looking = bus.Broker(loaded)
    try:
        other.channel().queue_declare("volume-agent.elsewhere", auto_delete=False)
        for _ in range(3):
            other.channel().basic_publish(amqp.Message("{}"), routing_key="volume-agent.elsewhere")
        names = [("absent", ""), ("volume-agent", "elsewhere"), ("absent", "too"), ("scheduler", "")]
        found = wait_for(lambda: (f := looking.look(names))[1].messages == 3 and f, 10, what="the messages")
        assert [(q.messages, q.consumers) for q in found] == [(0, 0), (3, 0), (0, 0), (0, 1)]
        assert [q.abandoned for q in found] == [False, True, False, False]
        assert [q.consumers for q in looking.look([("absent", "")])] == [0]
        with pytest.raises(amqp.exceptions.NotFound):
            other.channel().queue_declare("absent", passive=True)
    finally:
        other.channel().queue_delete("volume-agent.elsewhere")
        other.close()
        looking.close()
    assert all(q["consumers"] for q in status(real)["queues"]) and status(real)["ok"]


def test_status_says_why_a_volume_does_not_get_on(real):
    """Its host's agent hangs: the volume is named, with its host, and after a while the agent is too."""
    pid = daemons()["volume-agent"]
    os.kill(pid, signal.SIGSTOP)
    try:
        volume = real.client.call("volume", "POST", "/volumes", {"volume": {"name": "waiting", "size": 1}})["volume"]["id"]

        def stuck():
            found = status(real, "--after", "20")
            return found if found["hosts"] and found["stuck"] else None
        found = wait_for(stuck, 120, every_s=3, what="the agent to be missed")
        (one,) = found["stuck"]
        assert (one["kind"], one["id"], one["host"], one["name"]) == ("volume", volume, socket.gethostname(), "waiting")
        assert one["for_s"] >= 20 and one["why"][0].startswith("cinder-volume on ") and "not reported" in one["why"][0]
        assert one["request_id"].startswith("req-") and not found["ok"]
    finally:
        os.kill(pid, signal.SIGCONT)
    wait_for(lambda: real.volume_status(volume) == "available", 60, what="the volume to be made after all")
    wait_for(lambda: status(real)["ok"], 60, every_s=2, what="the agent to be heard of")
    real.client.call("volume", "DELETE", f"/volumes/{volume}")
    real.audit()
