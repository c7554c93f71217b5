"""100 servers, asked for one by one, 8 at a time: fake driver, RabbitMQ, MariaDB, one compute host.

    python -m tests.bench.boots [--count 100] [--clients 8]

Starts a MariaDB, a broker and all daemons of its own, prints seconds, CPU seconds
of each daemon (which a busy machine changes little), SQL statements and bus
messages for a boot (idle traffic taken off), the time of a detailed list, and
what the daemons weigh when idle. Nothing here is a test.
"""

import argparse
import collections
import contextlib
import os
import re
import statistics
import subprocess
import threading
import time

import psutil

from common.periodic import wait_for
from deploy import first, processes, supervisor
from tests.distributed import DistributedCloud

OFFSET = 30100


class Counters:
    """SQL statements and bus messages so far."""

    def __init__(self, cloud: DistributedCloud):
        self.cloud = cloud

    def sql(self) -> int:
        text = self.cloud.sql("SHOW GLOBAL STATUS WHERE Variable_name IN "
                              "('Com_select','Com_insert','Com_update','Com_delete')")
        return sum(int(x) for x in re.findall(r"\t(\d+)", text))

    def broker(self, *command: str) -> str:
        """What rabbitmqctl says."""
        environment = {**os.environ, "HOME": f"{self.cloud.state}/rabbitmq",
                       "RABBITMQ_NODENAME": f"pileus{self.cloud.bus_port}@localhost"}
        return subprocess.run(["/usr/lib/rabbitmq/bin/rabbitmqctl", "-q", *command], env=environment, capture_output=True,
                              text=True).stdout

    def messages(self) -> int:
        text = self.broker("eval", "rabbit_global_counters:overview().")
        return sum(int(x) for x in re.findall(r"messages_received_total => (\d+)", text))


def cpu_seconds(state: str) -> dict[str, float]:
    """{daemon, or name of another process of this cloud: CPU seconds so far}, ended children included."""
    found: collections.Counter[str] = collections.Counter()
    for name, pid in processes.daemons_of(supervisor.running_pid(state) or 0).items():
        with contextlib.suppress(psutil.NoSuchProcess):  # it ended meanwhile
            found[name.rpartition(" ")[0]] += sum(psutil.Process(pid).cpu_times()[:4])
    for process in psutil.process_iter(["name", "cmdline"]):
        if process.info["name"] in ("mariadbd", "beam.smp") and any(state in word for word in process.info["cmdline"] or ()):
            found[process.info["name"]] += sum(process.cpu_times()[:2])
    return dict(found)


def run(count: int, clients: int) -> None:
    cloud = DistributedCloud(OFFSET)
    try:
        measure(cloud.start(), Counters(cloud), cloud.state, count, clients)
    finally:
        cloud.stop()


def measure(cloud: first.Cloud, counters: Counters, state: str, count: int, clients: int) -> None:
    networks = first.ensure_networks(cloud, external_cidr="172.24.4.0/24", pool=("172.24.4.10", "172.24.4.250"),
                                     gateway="172.24.4.1", private_cidr="10.0.0.0/16")
    image = first.ensure_image(cloud, "bench", b"\0" * 4096, "raw")
    cloud.call("compute", "PUT", f"/os-quota-sets/{cloud.project_id}", {"quota_set": {
        "instances": -1, "cores": -1, "ram": -1}})
    first.boot(cloud, "warm", imageRef=image, flavorRef="42", networks=[{"uuid": networks["private"]}])
    time.sleep(12)  # early heartbeats are over
    weights = {n: processes.pss_kib(p) / 1024 for n, p in processes.daemons_of(supervisor.running_pid(state) or 0).items()}
    print(f"idle: {sum(weights.values()):.0f} MB PSS in {len(weights)} processes: " + ", ".join(
        f"{name.rpartition(' ')[0]} {mb:.0f}" for name, mb in sorted(weights.items(), key=lambda x: -x[1])))
    began, sql, messages, cpu = time.monotonic(), counters.sql(), counters.messages(), cpu_seconds(state)
    time.sleep(15)
    idle = time.monotonic() - began
    idle_sql, idle_messages = (counters.sql() - sql) / idle, (counters.messages() - messages) / idle
    idle_cpu = {n: (seconds - cpu[n]) / idle for n, seconds in cpu_seconds(state).items()}
    print(f"idle: {idle_sql:.1f} SQL statements and {idle_messages:.1f} messages a second, "
          f"{sum(idle_cpu.values()) * 1000:.0f} ms of CPU a second")
    sql, messages, cpu, began = counters.sql(), counters.messages(), cpu_seconds(state), time.monotonic()
    todo = iter(range(count))
    lock, answers = threading.Lock(), []

    def client() -> None:
        mine = first.Cloud(cloud.password, offset=OFFSET)
        mine.token = cloud.token
        while True:
            with lock:
                i = next(todo, None)
            if i is None:
                return
            asked = time.monotonic()
            mine.call("compute", "POST", "/servers", {"server": {
                "name": f"b{i}", "imageRef": image, "flavorRef": "42", "networks": [{"uuid": networks["private"]}]}})
            answers.append(time.monotonic() - asked)
    threads = [threading.Thread(target=client) for _ in range(clients)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    accepted = time.monotonic() - began

    def active():
        found = cloud.call("compute", "GET", "/servers/detail?limit=1000")["servers"]
        assert not [s for s in found if s["status"] == "ERROR"], [s["fault"] for s in found if s["status"] == "ERROR"][:1]
        return sum(s["status"] == "ACTIVE" for s in found) == count + 1
    wait_for(active, 120, every_s=0.25, what="all servers")
    took = time.monotonic() - began
    print(f"{count} boots, {clients} clients: accepted {accepted:.1f} s, all ACTIVE {took:.1f} s "
          f"(a POST: median {statistics.median(answers) * 1000:.0f} ms)")
    time.sleep(2)
    idle = time.monotonic() - began
    polls = int(took / 0.25) * 4
    print(f"a boot: {(counters.sql() - sql - idle_sql * idle - polls) / count:.1f} SQL statements, "
          f"{(counters.messages() - messages - idle_messages * idle) / count:.1f} messages")
    used = {n: (seconds - cpu[n] - idle_cpu[n] * idle) / count for n, seconds in cpu_seconds(state).items()}
    print(f"a boot: {sum(used.values()) * 1000:.0f} ms of CPU: " + ", ".join(
        f"{n} {seconds * 1000:.1f}" for n, seconds in sorted(used.items(), key=lambda x: -x[1]) if seconds > 0.0005))
    lists, cpu = [], cpu_seconds(state)
    for _ in range(20):
        asked = time.monotonic()
        cloud.call("compute", "GET", f"/servers/detail?limit={count}")
        lists.append(time.monotonic() - asked)
    spent = sum(cpu_seconds(state).values()) - sum(cpu.values()) - sum(idle_cpu.values()) * sum(lists)
    print(f"detailed list of {count}: median {statistics.median(lists) * 1000:.0f} ms, {spent / len(lists) * 1000:.0f} ms of CPU")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--clients", type=int, default=8)
    arguments = parser.parse_args()
    run(arguments.count, arguments.clients)
