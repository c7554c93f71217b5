"""Metrics of the whole cloud, from the databases and the last read of the queues."""

import datetime
import logging
import time
import typing

from prometheus_client.core import GaugeMetricFamily

from common import db, periodic
from conductor.db import hosts
from deploy import bus
from deploy.overview import STUCK_S, UNREADABLE, Agent, Compute, Overview, Volume
from volume.db import state_counts

LOG = logging.getLogger(__name__)
MIB, GIB = 2 ** 20, 2 ** 30
_CAPACITY = (("vcpus", "virtual CPUs", "vcpus", 1), ("memory_bytes", "memory", "memory_mb", MIB),
             ("disk_bytes", "disk space", "local_gb", GIB))


def gauge(name: str, text: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"pileus_{name}", text, labels=labels)


def counts(name: str, text: str, label: str, found: dict[str, int]) -> GaugeMetricFamily:
    """A gauge with a value for each key."""
    made = gauge(name, text, label)
    for key, number in found.items():
        made.add_metric([key], number)
    return made


class CloudMetrics:
    """A collector. ``queues``, ``bus_up`` and ``looked_at`` are written by ``QueueReader``."""

    def __init__(self, overview: Overview):
        self.overview = overview
        self.queues: list[bus.Queue] = []
        self.bus_up = False
        self.looked_at = 0.0  # Unix time

    def collect(self):
        up = gauge("database_up", "Whether a database answers.", "database")
        agents: list[Agent] = []
        ages: dict[str, list[datetime.datetime]] = {"server": [], "volume": [], "snapshot": []}
        families = []
        for name, part in (("compute", self._compute), ("volume", self._volume), ("network", self._network)):
            try:
                families += part(agents, ages)
                up.add_metric([name], 1)
            except UNREADABLE as error:
                LOG.warning("the database %s cannot be read: %s", name, error)
                up.add_metric([name], 0)
        yield up
        yield from families
        yield from _agents(agents)
        yield from _ages(ages)
        yield from self._bus()

    def _compute(self, agents: list[Agent], ages: dict) -> list[GaugeMetricFamily]:
        found = self.overview.compute()
        agents += found.agents
        ages["server"] += [row["since"] for row in found.under_way]
        return [*_hosts(found, self.overview.down_time_s), *_capacity(found.nodes), self._ratios(),
                counts("servers", "Servers by status, as users see it.", "status", found.servers)]

    def _ratios(self) -> GaugeMetricFamily:
        of = self.overview.confs["compute"].scheduler
        return counts("allocation_ratio", "Allocation ratios of the scheduler.", "resource", {
            "vcpus": of.cpu_allocation_ratio, "memory": of.ram_allocation_ratio, "disk": of.disk_allocation_ratio})

    def _volume(self, agents: list[Agent], ages: dict) -> list[GaugeMetricFamily]:
        found = self.overview.volume()
        agents += found.agents
        for row in found.under_way:
            ages[row["kind"]].append(row["since"])
        gb = state_counts.by_status(found.volumes, "gb")
        return [counts("volumes", "Volumes by status.", "status", state_counts.by_status(found.volumes, "volumes")),
                counts("volumes_bytes", "Size of the volumes in a status, as users see it.", "status",
                       {status: number * GIB for status, number in gb.items()}),
                counts("snapshots", "Snapshots of volumes by status.", "status", found.snapshots), *_backends(found)]

    def _network(self, agents: list[Agent], ages: dict) -> list[GaugeMetricFamily]:
        agents += self.overview.network()
        return []

    def _bus(self) -> typing.Iterator[GaugeMetricFamily]:
        yield GaugeMetricFamily("pileus_bus_up", "Whether the broker responded when its queues were last read.",
                                value=int(self.bus_up))
        yield GaugeMetricFamily("pileus_bus_look_timestamp_seconds", "When the queues were last read, Unix time.",
                                value=self.looked_at)
        messages = gauge("bus_queue_messages", "Messages waiting in a queue; shared queues have no host.", "topic", "host")
        consumers = gauge("bus_queue_consumers", "Consumers of a queue.", "topic", "host")
        for queue in self.queues:
            messages.add_metric([queue.topic, queue.host], queue.messages)
            consumers.add_metric([queue.topic, queue.host], queue.consumers)
        yield from (messages, consumers)


class QueueReader(periodic.Periodic):
    """Reads the depth of the queues periodically, independently of scrapes."""

    jitter_s = 0.0

    def __init__(self, conf, cloud: CloudMetrics):
        self.interval_s = float(conf.metrics.bus_interval_s)
        self.cloud, self.bus = cloud, bus.of(conf)

    def run_once(self) -> None:
        cloud = self.cloud
        try:
            agents = cloud.overview.agents()
        except UNREADABLE as error:
            LOG.debug("the hosts could not be read: %s", error)
            agents = []  # the shared queues can be read nevertheless
        try:
            cloud.queues, cloud.bus_up, cloud.looked_at = self.bus.look(bus.expected(agents)), True, time.time()
        except bus.Away:
            cloud.queues, cloud.bus_up, cloud.looked_at = [], False, time.time()
            raise  # logged once by the loop


def _hosts(found: Compute, down_time_s: int) -> list[GaugeMetricFamily]:
    up = gauge("host_up", "Whether a compute host reports.", "host")
    disabled = gauge("host_disabled", "Whether a compute host gets no new servers.", "host")
    states = {"up": 0, "down": 0, "disabled": 0}
    for node in found.nodes:
        alive = hosts.is_up(node, down_time_s)
        up.add_metric([node["host"]], int(alive))
        disabled.add_metric([node["host"]], int(node["disabled"]))
        states["disabled" if node["disabled"] else "up" if alive else "down"] += 1
    return [counts("hosts", "Compute hosts by state; disabled ones count only as disabled.", "state", states), up, disabled]


def _capacity(nodes: list[dict]) -> list[GaugeMetricFamily]:
    made = []
    for name, text, column, unit in _CAPACITY:
        total = gauge(f"host_{name}", f"Capacity of a compute host: {text}.", "host")
        base, _, suffix = name.partition("_")
        used = gauge("_".join(filter(None, ("host", base, "used", suffix))), f"Allocated to servers: {text}.", "host")
        for node in nodes:
            total.add_metric([node["host"]], node[column] * unit)
            used.add_metric([node["host"]], node[f"{column}_used"] * unit)
        made += [total, used]
    servers = gauge("host_servers", "Servers of a compute host.", "host")
    for node in nodes:
        servers.add_metric([node["host"]], node["running_vms"])
    return [*made, servers]


def _backends(found: Volume) -> list[GaugeMetricFamily]:
    total = gauge("volume_backend_bytes", "Size of a volume backend.", "host")
    free = gauge("volume_backend_free_bytes", "Free space of a volume backend.", "host")
    promised = gauge("volume_backend_promised_bytes", "Size of the volumes of a backend, as users see it.", "host")
    for host, facts in found.backends.items():
        total.add_metric([host], facts.get("total_capacity_gb", 0) * GIB)
        free.add_metric([host], facts.get("free_capacity_gb", 0) * GIB)
        promised.add_metric([host], sum(int(row["gb"]) for row in found.volumes if row["host"] == host) * GIB)
    return [total, free, promised]


def _agents(agents: list[Agent]) -> list[GaugeMetricFamily]:
    labels = ("service", "agent", "host")
    up = gauge("agent_up", "Whether an agent reports.", *labels)
    enabled = gauge("agent_enabled", "Whether an agent gets new work.", *labels)
    heard = gauge("agent_heard_timestamp_seconds", "When an agent last reported, Unix time.", *labels)
    for agent in agents:
        named = [agent.service, agent.binary, agent.host]
        up.add_metric(named, int(agent.up))
        enabled.add_metric(named, int(agent.enabled))
        heard.add_metric(named, agent.heard.replace(tzinfo=datetime.timezone.utc).timestamp())
    return [up, enabled, heard]


def _ages(ages: dict[str, list[datetime.datetime]]) -> list[GaugeMetricFamily]:
    oldest = gauge("under_way_oldest_seconds", "Age of the oldest operation in progress; 0: there is none.", "kind")
    stuck = gauge("stuck", f"Operations in progress for more than {STUCK_S} seconds. `pileus status` lists them.", "kind")
    now = db.now()
    for kind, since in ages.items():
        taken = [(now - moment).total_seconds() for moment in since]
        oldest.add_metric([kind], max(taken, default=0))
        stuck.add_metric([kind], sum(seconds > STUCK_S for seconds in taken))
    return [oldest, stuck]
