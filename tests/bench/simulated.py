"""Many simulated hosts in one process: the real agents with fake drivers, without a thread for each.

    python -m tests.bench.simulated --state DIRECTORY --first 250 --hosts 250 [--connections 8]

All hosts of a process share one connection per topic to listen on, one pool of threads for what they are asked, and one for
their periodic work. What each sends and asks is what an agent of a real host would. ``--connections``: so many more to the
broker for each host, without use, as the agents of a real host have them.
"""

import argparse
import collections
import concurrent.futures
import functools
import heapq
import itertools
import random
import signal
import threading
import time
import urllib.parse

import amqp
import oslo_messaging as messaging
from oslo_messaging._drivers import amqpdriver
from oslo_messaging._drivers.common import PURPOSE_LISTEN

from common import conf as conf_module
from common import log, metrics, rpc
from common.rest import RestClient
from compute_agent.service import ComputeAgent
from network.agent.service import NetworkAgent, Resync

STARTS = 20  # hosts that begin in a second


class HostConf:
    """The configuration that all hosts share, with what is a host's own."""

    def __init__(self, shared, **own):
        self._shared = shared
        self.__dict__.update(own)

    def __getattr__(self, name):
        return getattr(self._shared, name)


class _Compute(ComputeAgent):
    def setup(self):
        self.rest = self.conf.shared_rest
        super().setup()
        self.fence.passed.set()  # a new host has nothing of servers that have left it
        self.guests_known.set()


class _Network(NetworkAgent):
    def setup(self):
        self.rest = self.conf.shared_rest
        super().setup()


class Bus:
    """Listens for all hosts of a topic on one connection, and runs what they are asked in a pool of threads."""

    def __init__(self, conf, answers: type[rpc.Client], agents: dict, pool):
        self.topic, self.pool = (topic := answers.topic), pool
        self.received: collections.Counter[str] = collections.Counter()  # by method, also those of a fan-out, once for each host
        self._dispatchers = {}
        for host, agent in agents.items():
            endpoint = agent.endpoint()
            endpoint.target = messaging.Target(version=answers.version)
            self._dispatchers[host] = rpc.Dispatcher(endpoint, answers, None)
        driver = rpc.transport(conf)._driver
        self._listener = amqpdriver.RpcAMQPListener(driver, driver._get_connection(PURPOSE_LISTEN))
        exchange = driver._get_exchange(messaging.Target(topic=topic))
        for host in agents:
            self._listener.conn.declare_topic_consumer(
                exchange_name=exchange, topic=f"{topic}.{host}", callback=functools.partial(self._take, [host]))
        self._listener.conn.declare_fanout_consumer(topic, functools.partial(self._take, list(agents)))

    def _take(self, hosts: list[str], message) -> None:
        """Within the listener's poll: whom the message that it takes next is for."""
        before = len(self._listener.incoming)
        self._listener(message)
        for incoming in self._listener.incoming[before:]:
            incoming.simulated_hosts = hosts

    def run(self, stop: threading.Event) -> None:
        while not stop.is_set():
            for message in self._listener.poll(timeout=1) or []:
                for host in message.simulated_hosts:
                    self.received[message.message["method"]] += 1
                    self.pool.submit(self._answer, host, message)

    def _answer(self, host: str, message) -> None:
        try:
            result = self._dispatchers[host].dispatch(message)
        except messaging.ExpectedException as error:
            message.reply(failure=error.exc_info)
        except Exception as error:  # boundary of one message: whoever asked is told
            message.reply(failure=(type(error), error, error.__traceback__))
        else:
            message.reply(result)


class Clock:
    """Runs the periodic work of all hosts when it is due; while ``paused``, only what a change asks for."""

    paused = False

    def __init__(self, pool):
        self.pool, self._heap, self._count = pool, [], itertools.count()

    def add(self, work, first_s: float) -> None:
        heapq.heappush(self._heap, (time.monotonic() + first_s, next(self._count), work))

    def run(self, stop: threading.Event) -> None:
        while not stop.wait(0.02):
            now = time.monotonic()
            while self._heap and self._heap[0][0] <= now:
                work = heapq.heappop(self._heap)[2]
                if isinstance(work, Resync):
                    if work.wanted.is_set() or now >= work._due or work.agent.replica.pull_in_s() == 0:
                        self.pool.submit(self._once, work)
                    else:
                        self.add(work, 0.2)
                elif self.paused:
                    self.add(work, 1)
                else:
                    self.pool.submit(self._once, work)

    def _once(self, work) -> None:
        try:
            work.run_once()
        except Exception as error:  # boundary of a pass, as in Periodic.run_forever
            print(f"{type(work).__name__}: {error}", flush=True)
        self.add(work, 0.2 if isinstance(work, Resync) else work.interval_s + random.uniform(0, work.jitter_s))


def names(count: int, first: int = 0) -> list[str]:
    return [f"sim{i:04}" for i in range(first, first + count)]


def idle_connections(conf, count: int) -> list[amqp.Connection]:
    url = urllib.parse.urlsplit(conf.transport_url)
    found = []
    for _ in range(count):
        found.append(amqp.Connection(f"{url.hostname}:{url.port}", userid=url.username, password=url.password, heartbeat=0))
        found[-1].connect()
        found[-1].channel()
    return found


def run(state: str, first: int, count: int, connections: int) -> None:
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    bases = {cls: conf_module.load(cls.conf_name, cls.opts, state, overrides) for cls, overrides in (
        (_Compute, {"agent.virt_driver": "fake"}), (_Network, {"network.driver": "fake", "network.serves": False}))}
    log.setup("fleet", bases[_Compute])
    rest = RestClient(bases[_Compute])
    own = {host: {"host": host, "state_path": f"{state}/fleet/{host}", "shared_rest": rest,
                  "my_ip": f"10.200.{i // 250}.{i % 250 + 1}"} for i, host in enumerate(names(count, first), first)}
    for base in bases.values():
        rpc.transport(base)
    held = idle_connections(bases[_Compute], count * connections)
    agents = {cls: {host: cls(HostConf(base, **own[host])) for host in own} for cls, base in bases.items()}
    work_pool = concurrent.futures.ThreadPoolExecutor(16)
    clock = Clock(concurrent.futures.ThreadPoolExecutor(8))
    buses = [Bus(bases[cls], cls.interface, agents[cls], work_pool) for cls in agents]
    for bus in buses:
        threading.Thread(target=bus.run, args=(stop,), daemon=True).start()
    for by_host in agents.values():
        for agent in by_host.values():
            for work in agent.periodics:
                if hasattr(work, "steady_s"):
                    work.interval_s = work.steady_s
                clock.add(work, random.uniform(0, max(0.1, count / STARTS)))
    threading.Thread(target=clock.run, args=(stop,), daemon=True).start()
    signal.signal(signal.SIGUSR1, lambda *_: setattr(clock, "paused", not clock.paused))
    print("ready", flush=True)
    while not stop.wait(1):
        report(buses)
    report(buses)
    for connection in held:
        connection.collect()


def report(buses: list[Bus]) -> None:
    """Say what was received and sent so far; the last line is what counts."""
    sent = {f"{s.labels['topic']}.{s.labels['method']}": int(s.value) for m in metrics.RPC.collect() for s in m.samples
            if s.name.endswith("_total")}
    print({"received": {f"{b.topic}.{m}": n for b in buses for m, n in b.received.items()}, "sent": sent}, flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--state", required=True)
    parser.add_argument("--first", type=int, default=0, help="the number of the first host")
    parser.add_argument("--hosts", type=int, default=100)
    parser.add_argument("--connections", type=int, default=0)
    arguments = parser.parse_args()
    run(arguments.state, arguments.first, arguments.hosts, arguments.connections)
