"""What a cloud of 1, 100 and 1,000 hosts costs: MariaDB, RabbitMQ, one controller, simulated hosts.

    python -m tests.bench.fleet [--hosts 1 100 1000] [--count 24] [--connections 0]

For each size it prints how long all hosts take to report, SQL statements, bus messages and CPU time of idle seconds and of a
boot, how long a boot and a scheduling decision take, whom a security group's change reaches, and what the broker and the
database hold. Each server of the first row has a network and a security group of its own; four share them in the second.
``--connections`` holds so many more connections to the broker for each host, as a real host's agents do. Nothing here is a test.
"""

import argparse
import ast
import collections
import contextlib
import dataclasses
import functools
import pathlib
import re
import signal
import statistics
import subprocess
import sys
import time

import psutil

from common.periodic import wait_for
from deploy import first
from tests.bench.boots import Counters, cpu_seconds
from tests.bench.simulated import names
from tests.distributed import ROOT, DistributedCloud

OFFSET = 29500
IDLE_S = 20
OWN = "pileus_compute."  # what only this program's statements have


class Fleet:
    """The processes that simulate hosts, so many in each."""

    IN_PROCESS = 250

    def __init__(self, state: str, hosts: int, connections: int):
        self.paths, self.processes = [], []
        for number in range(0, hosts, self.IN_PROCESS):
            self.paths.append(path := pathlib.Path(state) / f"fleet{number}.out")
            with open(path, "w") as out:
                self.processes.append(subprocess.Popen(
                    [sys.executable, "-m", "tests.bench.simulated", "--state", state, "--first", str(number), "--hosts",
                     str(min(self.IN_PROCESS, hosts - number)), "--connections", str(connections)],
                    cwd=ROOT, stdout=out))
        wait_for(self._ready, 180, what="the simulated hosts")

    def _ready(self) -> bool:
        if ended := [p.returncode for p in self.processes if p.poll() is not None]:
            raise RuntimeError(f"simulated hosts ended with {ended}")
        return all("ready" in path.read_text() for path in self.paths)

    def counts(self) -> dict[str, collections.Counter]:
        """{"received", "sent"}: messages of all simulated hosts so far, by topic.method"""
        time.sleep(1.5)
        found: dict[str, collections.Counter] = {"received": collections.Counter(), "sent": collections.Counter()}
        for path in self.paths:
            last = ast.literal_eval([line for line in path.read_text().splitlines() if line.startswith("{")][-1])
            for kind, counter in found.items():
                counter.update(last[kind])
        return found

    def pause(self) -> None:
        """Let hosts say nothing by themselves, or go on: what a boot costs is not hidden then by what many idle hosts say."""
        for process in self.processes:
            process.send_signal(signal.SIGUSR1)

    def stop(self) -> None:
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            process.wait(20)


def gone_by(before: dict, after: dict) -> dict:
    return {k: after[k] - before.get(k, 0) for k in sorted(after) if after[k] != before.get(k, 0)}


def run(hosts: int, count: int, connections: int) -> None:
    distributed = DistributedCloud(OFFSET)
    fleet = None
    try:
        # Hosts that are paused stay up.
        cloud = distributed.start({"pileus": {"DEFAULT": {"service_down_time": "3600"}}})
        began = time.monotonic()
        fleet = Fleet(distributed.state, hosts, connections)
        measure(cloud, Counters(distributed), fleet, distributed, hosts, count, began)
    finally:
        if fleet:
            fleet.stop()
        distributed.stop()


def measure(cloud: first.Cloud, counters: Counters, fleet: Fleet, distributed, hosts: int, count: int,
            began: float) -> None:
    def reported() -> bool:
        services = cloud.call("compute", "GET", "/os-services?binary=nova-compute")["services"]
        return (sum(s["host"] in known and s["state"] == "up" for s in services) == hosts
                and len({a["host"] for a in cloud.call("network", "GET", "/agents")["agents"] if a["alive"]} & known) == hosts)
    known = set(names(hosts))
    wait_for(reported, 60 + hosts / 5, every_s=2, what="all simulated hosts")
    print(f"{hosts} hosts: all reported after {time.monotonic() - began:.0f} s", flush=True)
    own = next(s for s in cloud.call("compute", "GET", "/os-services?binary=nova-compute")["services"] if s["host"] not in known)
    cloud.call("compute", "PUT", f"/os-services/{own['id']}", {"status": "disabled"})
    image = first.ensure_image(cloud, "bench", b"\0" * 4096, "raw")
    cloud.call("compute", "PUT", f"/os-quota-sets/{cloud.project_id}", {"quota_set": {"instances": -1, "cores": -1, "ram": -1}})
    cloud.call("network", "PUT", f"/quotas/{cloud.project_id}", {"quota": {
        "network": -1, "subnet": -1, "port": -1, "security_group": -1, "security_group_rule": -1}})
    time.sleep(6)
    idle_traffic(counters, fleet, distributed, hosts)
    print(f"  {held(counters)}", flush=True)
    fleet.pause()
    time.sleep(2)
    with statements(distributed) as asked:
        began, messages = time.monotonic(), Rate(counters.messages)
        time.sleep(IDLE_S)
        messages_each_s, took = messages.each_s(), time.monotonic() - began
    for shared_by in (1, 4):
        boots(cloud, counters, fleet, distributed, image, count, shared_by, Idle(asked, took, messages_each_s))


@dataclasses.dataclass
class Idle:
    """What daemons do while nothing happens and hosts are paused."""

    statements: collections.Counter[str]
    seconds: float
    messages_each_s: float


def held(counters: Counters) -> str:
    """What the broker and the database hold."""
    lines = {kind: len(counters.broker(f"list_{kind}", "pid").splitlines()) for kind in ("connections", "channels", "queues")}
    beam = [p for p in psutil.process_iter(["name", "cmdline"]) if p.info["name"] == "beam.smp" and any(
        counters.cloud.state in word for word in p.info["cmdline"] or ())]
    memory = sum(p.memory_info().rss for p in beam) // 2 ** 20
    sql = counters.cloud.sql("SHOW GLOBAL STATUS WHERE Variable_name IN ('Threads_connected', 'Max_used_connections')").split()
    return (f"RabbitMQ: {lines['connections']} connections, {lines['channels']} channels, {lines['queues']} queues, "
            f"{memory} MiB; MariaDB: {sql[3]} connections, {sql[1]} at most")


def cpu_text(before: dict[str, float], distributed, by: float) -> str:
    """CPU time since ``before``, of the processes that used most; divided by seconds, or by a number of boots."""
    used = {n: (s - before.get(n, 0)) / by * 1000 for n, s in cpu_seconds(distributed.state).items()}
    return f"CPU, ms: {sum(used.values()):.0f}: " + ", ".join(
        f"{n} {ms:.0f}" for n, ms in sorted(used.items(), key=lambda x: -x[1])[:7])


def idle_traffic(counters: Counters, fleet: Fleet, distributed, hosts: int) -> None:
    """Statements and messages a second while nothing happens."""
    sent, cpu, began = fleet.counts()["sent"], cpu_seconds(distributed.state), time.monotonic()
    rates = [Rate(counters.sql), Rate(counters.messages)]
    time.sleep(IDLE_S)
    sql, messages = (rate.each_s() for rate in rates)
    print(f"{hosts} hosts, idle: {sql:.1f} statements and {messages:.1f} messages a second; per host and 10 s "
          f"{sql * 10 / hosts:.2f} and {messages * 10 / hosts:.2f}", flush=True)
    took = time.monotonic() - began
    print(f"  sent by hosts in {took:.0f} s: {gone_by(sent, fleet.counts()['sent'])}; {cpu_text(cpu, distributed, took)}")


class Rate:
    """How much a number grows from now on. To ask for it takes seconds on a busy machine, most of them before it is read."""

    def __init__(self, read):
        self.read, self.was, self.at = read, read(), time.monotonic()

    def since(self) -> tuple[float, float]:
        """By how much it grew, and in how many seconds."""
        return self.read() - self.was, time.monotonic() - self.at

    def each_s(self) -> float:
        grown, seconds = self.since()
        return grown / seconds


@contextlib.contextmanager
def statements(distributed):
    """What MariaDB is asked meanwhile: a Counter of texts without their values."""
    log, found = pathlib.Path(distributed.state) / "general.log", collections.Counter()
    log.unlink(missing_ok=True)
    distributed.sql(f"SET GLOBAL general_log_file = '{log}'; SET GLOBAL general_log = ON")
    yield found
    distributed.sql("SET GLOBAL general_log = OFF")
    entries = re.split(r"^(?:\d{6} [ \d]\d:\d\d:\d\d|\t)\t *\d+ (?=\w+(?: \w+)?\t)", log.read_text(errors="replace"), flags=re.M)
    for entry in filter(None, entries):
        kind, _, text = entry.partition("\t")
        if kind == "Query" and text.startswith(("SELECT", "INSERT", "UPDATE", "DELETE")) and OWN not in text:
            text = re.sub(r"'(?:[^'\\]|\\.|'')*'|\b\d+(?:\.\d+)?\b", "?", text)
            found[re.sub(r"\(\?(?:, \?)*\)", "(?)", " ".join(text.split()))] += 1


def spent(during: collections.Counter, took_s: float, idle: Idle, count: int) -> float:
    """Statements that ``count`` boots took: those that are also made while nothing happens count as far as there are clearly
    more of them."""
    found = 0.0
    for text, number in during.items():
        expected = idle.statements[text] / idle.seconds * took_s
        if not expected or number > 2 * expected + count / 2:
            found += number - expected
    return found / count


def boots(cloud, counters: Counters, fleet: Fleet, distributed, image: str, count: int, shared_by: int, idle: Idle) -> None:
    shared = []
    for i in range(count // shared_by):
        name = f"of{shared_by}-{i}"
        network = cloud.call("network", "POST", "/networks", {"network": {"name": name}})["network"]["id"]
        cloud.call("network", "POST", "/subnets", {"subnet": {"network_id": network, "ip_version": 4, "cidr": "10.1.0.0/24"}})
        group = cloud.call("network", "POST", "/security-groups", {"security_group": {"name": name}})["security_group"]["id"]
        cloud.call("network", "POST", "/security-group-rules", {"security_group_rule": {
            "security_group_id": group, "direction": "ingress", "remote_group_id": group}})
        shared.append((network, group))
    time.sleep(5)
    before, messages, cpu, took = fleet.counts(), Rate(counters.messages), cpu_seconds(distributed.state), []
    with statements(distributed) as during:
        began = time.monotonic()
        for i in range(count):
            network, group = shared[i % len(shared)]
            at = time.monotonic()
            made = cloud.call("compute", "POST", "/servers", {"server": {
                "name": f"of{shared_by}-{i}", "imageRef": image, "flavorRef": "42", "networks": [{"uuid": network}],
                "security_groups": [{"name": group}]}})["server"]["id"]
            wait_for(functools.partial(is_active, distributed, made), 120, every_s=0.2, what="a server")
            took.append(time.monotonic() - at)
        time.sleep(3)
        elapsed = time.monotonic() - began
    sql = spent(during, elapsed, idle, count)
    grown, seconds = messages.since()
    cost = (grown - idle.messages_each_s * seconds) / count
    after = fleet.counts()
    print(f"  a boot, {shared_by} in a network and group: {sql:.1f} statements, {cost:.1f} messages, "
          f"{statistics.median(took):.2f} s; hosts received {gone_by(before['received'], after['received'])}; "
          f"{cpu_text(cpu, distributed, count)} each", flush=True)
    print(f"  scheduling, ms: {decisions(distributed)}")
    group = shared[0][1]
    members = {s["OS-EXT-SRV-ATTR:host"] for s in cloud.call("compute", "GET", "/servers/detail?limit=1000")["servers"]
               if s["name"] in {f"of{shared_by}-{i}" for i in range(0, count, len(shared))}}
    before = fleet.counts()["received"]
    cloud.call("network", "POST", "/security-group-rules", {"security_group_rule": {
        "security_group_id": group, "direction": "ingress", "protocol": "tcp", "port_range_min": 80, "port_range_max": 80}})
    time.sleep(3)
    print(f"  a rule of a group with members on {len(members)} hosts: hosts received "
          f"{gone_by(before, fleet.counts()['received'])}", flush=True)


def is_active(distributed, uuid: str) -> bool:
    """Asked of the database: to ask the API would be statements of its own."""
    state = distributed.sql(f"SELECT vm_state FROM {OWN}instances WHERE uuid = '{uuid}'").strip()
    assert state in ("building", "active"), state
    return state == "active"


def decisions(distributed) -> str:
    """How long decisions took, by the servers' own records of them."""
    text = distributed.sql("SELECT TIMESTAMPDIFF(MICROSECOND, start_time, finish_time) FROM pileus_compute.instance_events "
                           "WHERE event = 'schedule' ORDER BY 1")
    found = [int(line) / 1000 for line in text.split()]
    most = found[int(len(found) * 0.99) - 1]
    return f"median {statistics.median(found):.1f}, 99 of 100 within {most:.1f} ({len(found)} decisions)"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hosts", type=int, nargs="+", default=[1, 100, 1000])
    parser.add_argument("--count", type=int, default=24)
    parser.add_argument("--connections", type=int, default=0)
    arguments = parser.parse_args()
    for size in arguments.hosts:
        run(size, arguments.count, arguments.connections)
