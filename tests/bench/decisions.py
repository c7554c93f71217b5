"""How long the scheduler takes to place a server among 1, 100 and 1,000 hosts, with MariaDB and under eventlet as the daemon.

    python -m tests.bench.decisions [--hosts 1 100 1000] [--count 600] [--each-second 20]

Servers come at random moments. Each decision ends with the commit of its claim. Hosts are read again meanwhile, as by the
daemon. Nothing here is a test.
"""

import eventlet

eventlet.monkey_patch()

import argparse  # noqa: E402
import random  # noqa: E402
import tempfile  # noqa: E402
import threading  # noqa: E402
import time  # noqa: E402

from common import conf as conf_module  # noqa: E402
from common import context  # noqa: E402
from common.db import Database  # noqa: E402
from conductor import conf  # noqa: E402
from conductor.db import heartbeats, models  # noqa: E402
from scheduler.placement import Placement, Refresher  # noqa: E402
from tests import databases  # noqa: E402
from tests.compute.test_many_hosts import resources  # noqa: E402
from tests.compute.test_placement import spec  # noqa: E402

ROOM = {"vcpus": 10_000, "memory_mb": 10_000_000, "local_gb": 1_000_000}


def run(database: Database, hosts: int, count: int, each_second: float) -> None:
    names = [f"h{i:04}" for i in range(hosts)]
    database.transact(heartbeats.write, {n: heartbeats.Report(resources(n, **ROOM), 1, 1) for n in names}, "nova")
    placement = Placement(conf_module.load("compute", conf.OPTS, tempfile.mkdtemp(), {}), database)
    stop, took = threading.Event(), []
    Refresher(placement).start(stop)
    waiting = [spec(database) for _ in range(count)]
    time.sleep(1)

    def place(one: dict) -> None:
        began = time.perf_counter()
        assert placement.place(context.Context(), one)
        took.append((time.perf_counter() - began) * 1000)
    threads = []
    for one in waiting:
        threads.append(threading.Thread(target=place, args=(one,)))
        threads[-1].start()
        time.sleep(random.expovariate(each_second))
    [t.join() for t in threads]
    stop.set()
    took.sort()
    print(f"{hosts} hosts, {len(took)} decisions: median {took[count // 2]:.1f} ms, 99 of 100 within "
          f"{took[int(count * 0.99) - 1]:.1f} ms", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hosts", type=int, nargs="+", default=[1, 100, 1000])
    parser.add_argument("--count", type=int, default=600)
    parser.add_argument("--each-second", type=float, default=20)
    arguments = parser.parse_args()
    server = databases.MariaDB()
    try:
        server.make()
        database = Database("compute", f"{server.url}compute")
        models.METADATA.create_all(database.engine)
        for size in arguments.hosts:
            run(database, size, arguments.count, arguments.each_second)
    finally:
        server.stop()


if __name__ == "__main__":
    main()
