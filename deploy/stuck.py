"""Stuck operations of a cloud: where, since when, and which of the daemons that they wait for does not work."""

import dataclasses
import datetime

from common import db, server_states
from conductor.db import evacuations, operations, resizes, shelving, state_counts
from deploy.bus import OF_HOSTS, Queue
from deploy.overview import COMPUTE_AGENT, NETWORK_AGENT, STUCK_S, VOLUME_AGENT, Agent, Overview

# The daemon, and its queue, that places a resource of this kind on a host.
_PLACED_BY = {"server": "scheduler", "volume": "volume-scheduler", "snapshot": "volume-scheduler"}
# Operations that no server waits for.
_OF_PAST = (resizes.REMOVE, resizes.REMOVE_KEPT, shelving.DROP_IMAGE, evacuations.DROP_WAITING)


@dataclasses.dataclass(frozen=True)
class Stuck:
    """``host`` is empty before a host has been chosen. ``why``: sentences; empty if everything that it waits for works."""
    kind: str
    id: str
    name: str
    project_id: str
    state: str
    host: str
    since: datetime.datetime
    request_id: str
    last_step: str
    why: list[str]

    def as_dict(self) -> dict:
        return {**dataclasses.asdict(self), "since": db.iso(self.since), "for_s": int((db.now() - self.since).total_seconds())}

    def __str__(self) -> str:
        named = f' "{self.name}"' if self.name else ""
        where = f"on {self.host}" if self.host else "without a host"
        why = "; ".join(self.why) or "everything that it waits for works"
        step = f"; last step: {self.last_step}" if self.last_step else ""
        trace = f"; see pileus trace {self.request_id}" if self.request_id else ""
        return f"{self.kind} {self.id}{named}: {self.state} {where} since {self.since:%F %T}: {why}{step}{trace}"


class Reasons:
    """Finds the reasons why something waits.

    :param running: {daemon: pid, or None if it is not running} of this host; others are on other hosts, and
        ``pileus`` is all of them
    :param queues: of the bus; none if it does not respond
    """

    def __init__(self, agents: list[Agent], running: dict[str, int | None], queues: list[Queue]):
        self.agents = {(a.binary, a.host): a for a in agents}
        self.running = running
        self.stopped = [] if running.get("pileus", 1) else ["the cloud is not running"]
        self.queues = {(q.topic, q.host): q for q in queues}

    def agent(self, binary: str, host: str) -> list[str]:
        """Problems of an agent and its queue."""
        agent = self.agents.get((binary, host))
        if agent is None:
            return [f"there is no {binary} on {host}", *self.queue(OF_HOSTS[binary], host)]
        silent = [] if agent.up else [f"{binary} on {host} has not reported since {agent.heard:%F %T}"]
        return [*silent, *self.queue(OF_HOSTS[binary], host)]

    def daemon(self, name: str) -> list[str]:
        """Problems of a daemon that does not belong to one host, and of its queue, which has the same name."""
        stopped = [f"{name} is not running"] if name in self.running and self.running[name] is None else []
        return [*stopped, *self.queue(name)]

    def queue(self, topic: str, host: str = "") -> list[str]:
        queue = self.queues.get((topic, host))
        if queue is None or queue.consumers and not queue.messages:
            return []
        waiting = f"{queue.messages} message{'' if queue.messages == 1 else 's'} waiting"
        return [f"the queue {queue.name} has " + (waiting if queue.consumers else f"no consumer ({waiting})")]

    def of_server(self, row: dict) -> list[str]:
        if self.stopped:
            return self.stopped
        if not row["host"]:
            return [*self.daemon("scheduler"), *self.daemon("conductor")]
        building = row["vm_state"] == server_states.BUILDING
        return [*self.agent(COMPUTE_AGENT, row["host"]), *(self.agent(NETWORK_AGENT, row["host"]) if building else []),
                *self.daemon("conductor")]

    def of_operation(self, row: dict | None) -> list[str]:
        """The step of an operation, and problems of the hosts involved other than the server's own."""
        if row is None or self.stopped:
            return []
        back = "back from " if row["phase"] == operations.UNDO else ""
        failed = f" after {row['error']}" if row["error"] else ""
        hosts = sorted({row["data"].get(name) for name in ("host", "source", "target")} - {None})
        return [f"operation {row['kind']} is at {back}step {row['step'] or 'one'}{failed}",
                *(text for host in hosts for text in self.agent(COMPUTE_AGENT, host))]

    def of_volume(self, row: dict) -> list[str]:
        if self.stopped:
            return self.stopped
        fault = [row["fault"]] if row["fault"] else []
        return [*fault, *(self.agent(VOLUME_AGENT, row["host"]) if row["host"] else self.daemon(_PLACED_BY[row["kind"]]))]


def servers(overview: Overview, reasons: Reasons, after_s: float = STUCK_S) -> list[Stuck]:
    """Including remains of servers on former hosts, of resizes and of shelved servers' images.

    :raises UNREADABLE: the database does not respond
    """
    def work(connection):
        late = [row for row in state_counts.in_progress(connection) if _late(row, after_s)]
        return late, state_counts.last_steps(connection, late), operations.list_all(connection)
    late, steps, under_way = overview.read("compute", work)
    of_server = {row["instance_uuid"]: row for row in under_way if row["kind"] not in _OF_PAST}
    left = [row for row in under_way if row["kind"] in _OF_PAST and _late({"since": row["created_at"]}, after_s)]
    return [Stuck("server", row["uuid"], row["display_name"], row["project_id"], f"{row['vm_state']}/{row['task_state'] or '-'}",
                  row["host"] or "", row["since"], row["request_id"] or "", _told(steps.get((row["uuid"], row["request_id"]))),
                  list(dict.fromkeys([*reasons.of_server(row), *reasons.of_operation(of_server.get(row["uuid"]))])))
            for row in late] + [
        Stuck("operation", row["id"], "", row["project_id"] or "", f"{row['kind']} of server {row['instance_uuid']}",
              row["data"]["host"] or "", row["created_at"], row["request_id"], "",
              reasons.agent(COMPUTE_AGENT, row["data"]["host"]) if row["data"]["host"] else [])
        for row in left]


def volumes(overview: Overview, reasons: Reasons, after_s: float = STUCK_S) -> list[Stuck]:
    """Volumes and snapshots. :raises UNREADABLE: the database does not respond"""
    from volume.db import state_counts
    return [Stuck(row["kind"], row["id"], row["name"] or "", row["project_id"], row["status"], row["host"] or "", row["since"],
                  row["request_id"], "", reasons.of_volume(row))
            for row in overview.read("volume", state_counts.in_progress) if _late(row, after_s)]


def _late(row: dict, after_s: float) -> bool:
    return (db.now() - row["since"]).total_seconds() > after_s


def _told(event: dict | None) -> str:
    if event is None:
        return ""
    ended = f"{event['result']} at {event['finish_time']:%T}" if event["finish_time"] else f"begun at {event['start_time']:%T}"
    return f"{event['event']} ({ended})"
