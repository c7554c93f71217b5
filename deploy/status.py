"""``pileus status``: which daemons of a cloud run and respond, and what is stuck. The exit status is 1 if anything is
wrong."""

import collections
import json
import urllib.error
import urllib.request

import prometheus_client.parser
from oslo_config import cfg

from common import conf, db, db_errors
from common.messages import parse_version
from deploy import bus, exporter, processes, settings, statedir, stuck
from deploy.daemons import PORTS
from deploy.overview import UNREADABLE, Agent, Overview

ANSWER_S = 3


def running(state: str) -> dict[str, dict | None]:
    """{daemon: {"pid", "pss_mb"}, or None if it is not running}"""
    return {name: {"pid": pid, "pss_mb": round(processes.pss_kib(pid) / 1024, 1)} if pid else None
            for name, pid in processes.of_cloud(state).items()}


def unhealthy(url: str) -> str:
    """Why an API is unhealthy; empty if it is healthy."""
    try:
        with urllib.request.urlopen(f"{url}/healthcheck", timeout=ANSWER_S):
            return ""
    except urllib.error.HTTPError as error:
        try:
            return ", ".join(json.loads(error.read())["reasons"])
        except (ValueError, KeyError):
            return f"answered {error.code}"
    except OSError as error:
        return f"does not respond ({getattr(error, 'reason', error)})"


def health(address: str, offset: int, metrics: tuple[str, int]) -> dict[str, str]:
    """{API: why it is unhealthy}, of unhealthy APIs. ``metrics``: address and port of the exporter."""
    where = {name: (address, port + offset) for name, port in PORTS.items()} | {"metrics": metrics}
    found = {name: unhealthy(f"http://{_in_url(at)}:{port}") for name, (at, port) in where.items()}
    return {name: f"port {where[name][1]}: {reason}" for name, reason in found.items() if reason}


def _in_url(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def queues(loaded: cfg.ConfigOpts, agents: list[Agent], fake: bool) -> list[bus.Queue]:
    """The depth of every queue. For a cloud in one process, they are read from its exporter.

    :raises Away: they cannot be read
    """
    if not fake:
        broker = bus.Broker(loaded)
        try:
            return broker.look(bus.expected(agents))
        finally:
            broker.close()
    of = loaded.metrics
    try:
        with urllib.request.urlopen(f"http://{of.bind_host}:{of.port}/metrics", timeout=ANSWER_S) as answer:
            families = prometheus_client.parser.text_string_to_metric_families(answer.read().decode())
            told = {family.name: {(s.labels["topic"], s.labels["host"]): int(s.value) for s in family.samples}
                    for family in families if family.name.startswith("pileus_bus_queue_")}
    except OSError as error:
        raise bus.Away(f"metrics do not respond ({getattr(error, 'reason', error)})") from error
    consumers = told.get("pileus_bus_queue_consumers", {})
    return [bus.Queue(topic, host, number, consumers[topic, host])
            for (topic, host), number in told.get("pileus_bus_queue_messages", {}).items()]


class Parts:
    """Collects one part after the other. Failures are recorded in ``problems``, and the other parts are still shown."""

    def __init__(self):
        self.problems: list[str] = []

    def get(self, what: str, work, *args) -> list:
        try:
            return work(*args)
        except UNREADABLE as error:
            self.problems.append(f"{what}: the database cannot be used: {db_errors.driver_text(error)}")
        except bus.Away as error:
            self.problems.append(f"{what}: {error}")
        return []


def collect(state: str, after_s: float = stuck.STUCK_S) -> dict:
    """The whole status of a cloud; ``ok``: nothing is wrong.

    :param after_s: operations in progress for longer are stuck
    :raises StateError: there is no cloud in the directory
    """
    statedir.require_cloud(state)
    known, parts = statedir.load(state), Parts()
    invalid, unread = settings.problems(state)
    found: dict = {"state": state, "address": known.ip, "daemons": running(state), "configuration": [*invalid, *unread]}
    try:
        loaded, overview = conf.load("exporter", exporter.OPTS, state), Overview(state, "status")
    except conf.ConfigError:  # one of those above; nothing can be asked
        return {**found, **{name: {} if name == "unhealthy" else [] for name in (
            "unhealthy", "agents", "versions", "hosts", "queues", "abandoned", "stuck", "problems")}, "ok": False}
    found["unhealthy"] = health(loaded.my_ip, known.port_offset, (loaded.metrics.bind_host, loaded.metrics.port))
    try:
        asked = {"compute hosts": lambda: overview.compute().agents, "network agents": overview.network,
                 "volume agents": lambda: overview.volume().agents}
        agents = [agent for name, work in asked.items() for agent in parts.get(name, work)]
        seen = parts.get("queues", queues, loaded, agents, known.driver == statedir.FAKE)
        reasons = stuck.Reasons(agents, {name: each and each["pid"] for name, each in found["daemons"].items()}, seen)
        late = [one for name, work in (("servers", stuck.servers), ("volumes", stuck.volumes))
                for one in parts.get(name, work, overview, reasons, after_s)]
    finally:
        overview.close()
    found["agents"] = [{"service": a.service, "binary": a.binary, "host": a.host, "up": a.up, "enabled": a.enabled,
                        "heard": db.iso(a.heard), "rpc_version": a.rpc_version} for a in agents]
    found["versions"] = versions(agents)
    found["hosts"] = [f"{a.binary} on {a.host}: down since {a.heard:%F %T}" for a in agents if not a.up]
    found["queues"] = [{"topic": q.topic, "host": q.host, "messages": q.messages, "consumers": q.consumers} for q in seen]
    found["abandoned"] = [f"queue {q.name}: {q.messages} messages waiting without a consumer" for q in seen if q.abandoned]
    found["stuck"] = [one.as_dict() | {"text": str(one)} for one in late]
    found["problems"] = parts.problems
    found["ok"] = all(found["daemons"].values()) and not any(
        found[name] for name in ("configuration", "unhealthy", "hosts", "abandoned", "stuck", "problems"))
    return found


def versions(agents: list[Agent]) -> list[str]:
    """For upgrades: a line for each kind of agent of which some run another release."""
    lines = []
    for binary, interface in bus.INTERFACES.items():
        hosts: dict[str, list[str]] = collections.defaultdict(list)
        for agent in agents:
            if agent.binary == binary and agent.up:
                hosts[agent.rpc_version].append(agent.host)
        if set(hosts) - {interface.version}:
            parts = [f"{version} on {_names(hosts[version])}" for version in sorted(hosts, key=parse_version)]
            lines.append(f"{binary}: RPC versions {', '.join(parts)}; this release has {interface.version}")
    return lines


def _names(hosts: list[str], most: int = 5) -> str:
    shown = ", ".join(sorted(hosts)[:most])
    return f"{shown} and {len(hosts) - most} more" if len(hosts) > most else shown


def _depths(found: list[dict]) -> list[str]:
    """A line for each topic."""
    by_topic: dict[str, list[dict]] = collections.defaultdict(list)
    for queue in found:
        by_topic[queue["topic"]].append(queue)
    return [f"{topic:18} {sum(q['messages'] for q in own):5} waiting in {len(own)} queue{'s' * (len(own) > 1)}, "
            f"{sum(q['consumers'] for q in own)} taking" for topic, own in by_topic.items()]


def main(state: str, *, after_s: float = stuck.STUCK_S, as_json: bool = False) -> int:
    try:
        found = collect(state, after_s)
    except statedir.StateError as error:
        print(json.dumps({"ok": False, "error": str(error)}) if as_json else f"pileus status: {error}")
        return 1
    if as_json:
        print(json.dumps(found, indent=2))
        return 0 if found["ok"] else 1
    print(f"cloud in {state} at {found['address']}")
    for name, process in found["daemons"].items():
        print(f"{name:18} " + (f"up    pid {process['pid']:<7} {process['pss_mb']:6.1f} MB" if process else "DOWN"))
    for name, reason in found["unhealthy"].items():
        print(f"{name:18} {reason}")
    for line in [*_depths(found["queues"]), *found["versions"]]:
        print(line)
    wrong = [*(line for name in ("configuration", "problems", "hosts", "abandoned") for line in found[name]),
             *(one["text"] for one in found["stuck"])]
    if not any(found["daemons"].values()):
        wrong.append("the cloud is not running; " + ("pileus up --driver fake" if "pileus" in found["daemons"] else "deploy/up")
                     + " starts it")
    if wrong or found["ok"]:
        print("\n".join(wrong or ["all hosts are up, nothing is stuck"]))
    return 0 if found["ok"] else 1
